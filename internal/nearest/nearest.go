// Package nearest offers the word that somebody may have meant.
package nearest

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Hint is " (did you mean …?)" with the word of the list that is like word: a
// third of it has to change at most, its case aside, or it begins alike. Empty: there is
// none.
func Hint(word string, list []string) string {
	best, distance := "", len(word)/3+1
	for _, w := range list {
		if d := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(w)); d < distance {
			best, distance = w, d
		}
	}
	if best == "" {
		best = longestBeginning(word, list)
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", best)
}

func longestBeginning(word string, list []string) string {
	best, length := "", 2
	for _, w := range list {
		n := 0
		for n < min(len(word), len(w)) && word[n] == w[n] {
			n++
		}
		if n > length {
			best, length = w, n
		}
	}
	return best
}
