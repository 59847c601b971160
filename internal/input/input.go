// Package input reads files that a user names: never more than was said, and never
// for ever.
package input

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// The most that a file may hold, bytes.
const (
	Settings = 1 << 20   // what people write
	Keys     = 16 << 20  // certificates; those of a system are 1 MiB
	Report   = 256 << 20 // what finwait writes
)

// patience is how long a FIFO may take until it has been written.
const patience = 10 * time.Second

// Read reads a whole file of at most so many bytes.
func Read(file string, most int64) ([]byte, error) {
	f, err := Open(file, most)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil && !errors.As(err, new(*os.PathError)) {
		err = fmt.Errorf("%s %w", file, err)
	}
	return b, err
}

// Open opens a file of which at most so many bytes are read: more are an error. It
// does not wait where the file is a FIFO that nobody writes into; reading it does, for
// a while.
func Open(file string, most int64) (io.ReadCloser, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	limit := time.Now().Add(patience)
	_ = f.SetReadDeadline(limit) // fails where reading never waits
	info, err := f.Stat()
	return &bounded{file: f, most: most, awaited: err == nil && info.Mode()&fs.ModeNamedPipe != 0, limit: limit}, nil
}

type bounded struct {
	file       *os.File
	read, most int64
	awaited    bool // it is a FIFO into which nothing was written yet
	limit      time.Time
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.file.Read(p)
	for b.awaited && errors.Is(err, io.EOF) && time.Now().Before(b.limit) { // nobody has opened its other end, and no event tells of that
		time.Sleep(10 * time.Millisecond)
		n, err = b.file.Read(p)
	}
	b.read += int64(n)
	switch {
	case b.read > b.most:
		return 0, fmt.Errorf("holds more than %d MiB, which no such file does", b.most>>20)
	case errors.Is(err, os.ErrDeadlineExceeded), b.awaited && errors.Is(err, io.EOF):
		return 0, fmt.Errorf("was not written within %s", patience)
	}
	b.awaited = b.awaited && n == 0
	return n, err
}

func (b *bounded) Close() error { return b.file.Close() }
