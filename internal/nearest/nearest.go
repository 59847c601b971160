// Package nearest suggests the word that a user may have meant.
package nearest

import (
	"fmt"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Hint is " (did you mean …?)" with the most similar word of the list. A word is similar
// if at most a third of its letters differ, ignoring case, or if it has the same first
// three letters. Hint is empty if no word is similar.
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

// longestBeginning returns the word of the list with the longest common beginning, of at
// least three bytes, or nothing.
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
