// Package input reads files that a user names. It limits how much it reads, and how long
// it waits.
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

// The most bytes that a file may have.
const (
	Settings = 1 << 20   // files that people write
	Keys     = 16 << 20  // certificates; the system's bundle has 1 MiB
	Report   = 256 << 20 // files that finwait writes
)

// patience is how long finwait waits for a FIFO to be written.
const patience = 10 * time.Second

// Read reads a whole file of at most this many bytes.
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

// Open opens a file of at most this many bytes: reading more is an error. If the file is
// a FIFO that nobody writes to, Open does not wait. Reading it waits for at most 10 s.
func Open(file string, most int64) (io.ReadCloser, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	limit := time.Now().Add(patience)
	_ = f.SetReadDeadline(limit) // fails for files whose reads never wait
	info, err := f.Stat()
	return &bounded{file: f, maxBytes: most, awaited: err == nil && info.Mode()&fs.ModeNamedPipe != 0, deadline: limit}, nil
}

type bounded struct {
	file     *os.File
	bytes    int64 // read so far
	maxBytes int64
	awaited  bool      // it is a FIFO, and nothing was written to it yet
	deadline time.Time // for a FIFO
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.file.Read(p)
	// nobody has opened the other end, and the kernel reports no event for that
	for b.awaited && errors.Is(err, io.EOF) && time.Now().Before(b.deadline) {
		time.Sleep(10 * time.Millisecond)
		n, err = b.file.Read(p)
	}
	b.bytes += int64(n)
	switch {
	case b.bytes > b.maxBytes:
		return 0, fmt.Errorf("holds more than %d MiB, which no such file does", b.maxBytes>>20)
	case errors.Is(err, os.ErrDeadlineExceeded), b.awaited && errors.Is(err, io.EOF):
		return 0, fmt.Errorf("was not written within %s", patience)
	}
	b.awaited = b.awaited && n == 0
	return n, err
}

func (b *bounded) Close() error { return b.file.Close() }
