//go:build !unix || aix || solaris

package quiet

import (
	"errors"
	"os"
)

const shared, alone = 1, 2

func lock(*os.File, int) (held bool, err error) {
	return false, errors.New("a lock across processes is not written for this system")
}
