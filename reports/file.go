package reports

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// CheckWritable tells, before a run, whether [WriteFile] could write path. It
// leaves nothing behind and touches no file that is there.
func CheckWritable(path string) error {
	d, err := destinationOf(path)
	if err == nil && d.direct == nil && d.device == "" {
		var f *os.File
		if f, err = os.CreateTemp(filepath.Dir(d.file), ".finwait-*"); err == nil {
			_ = f.Close()
			err = os.Remove(f.Name())
		}
	}
	if err != nil {
		return fmt.Errorf("cannot write the report %s: %w", path, withoutFileName(err))
	}
	return nil
}

// SameFile tells whether two paths name one file, there or not: by another
// spelling, through a symbolic link, or by a hard link.
func SameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA == nil && errB == nil {
		return os.SameFile(infoA, infoB)
	}
	fileA, errA := resolve(a)
	fileB, errB := resolve(b)
	return errA == nil && errB == nil && fileA == fileB
}

// WriteFile writes a report whole or not at all: to a temporary file beside the
// file that path leads to, which then takes its place and has its mode. What is
// not a regular file, and the file that is standard output, is written directly.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot write the report %s: %w", path, withoutFileName(err))
		}
	}()
	d, err := destinationOf(path)
	switch {
	case err != nil:
		return err
	case d.direct != nil:
		return buffered(d.direct, write)
	case d.device != "":
		return writeTo(d.device, os.O_WRONLY, write)
	}
	f, err := os.CreateTemp(filepath.Dir(d.file), ".finwait-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it has been renamed
	if err := errors.Join(buffered(f, write), f.Chmod(d.mode), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), d.file)
}

// destination is where a report goes. One of direct, device and file is set.
type destination struct {
	direct *os.File // standard output or error, also where it is a regular file
	device string   // anything else that is not a regular file
	file   string   // a regular file, there or not, that is no symbolic link
	mode   fs.FileMode
}

func destinationOf(path string) (destination, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		file, err := resolve(path)
		return destination{file: file, mode: 0o644}, err
	}
	if err != nil {
		return destination{}, err
	}
	for _, f := range []*os.File{os.Stdout, os.Stderr} {
		if own, err := f.Stat(); err == nil && os.SameFile(info, own) {
			return destination{direct: f}, nil
		}
	}
	switch {
	case info.IsDir():
		return destination{}, errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return destination{device: path}, nil
	}
	file, err := resolve(path)
	return destination{file: file, mode: info.Mode().Perm()}, err
}

// mostLinks is how many symbolic links a path may lead through.
const mostLinks = 40

// resolve returns the absolute path of the file that path leads to, which need not
// be there; its directory must be.
func resolve(path string) (string, error) {
	for range mostLinks {
		dir, name := filepath.Split(path)
		dir, err := filepath.EvalSymlinks(cmp.Or(dir, "."))
		if err != nil {
			return "", err
		}
		if dir, err = filepath.Abs(dir); err != nil {
			return "", err
		}
		path = filepath.Join(dir, name)
		to, err := os.Readlink(path)
		switch {
		case err != nil: // it is no link
			return path, nil
		case filepath.IsAbs(to):
			path = to
		default:
			path = dir + string(filepath.Separator) + to // not joined: a .. in it goes up from what a link leads to
		}
	}
	return "", fmt.Errorf("it leads through more than %d symbolic links", mostLinks)
}

// Append writes a report behind what is in a file, such as a step's summary;
// without a path it does nothing.
func Append(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	if err := writeTo(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, write); err != nil {
		return fmt.Errorf("cannot append the report to %s: %w", path, withoutFileName(err))
	}
	return nil
}

// readerPatience is how long finwait waits for a FIFO's reader to read on.
const readerPatience = 10 * time.Second

// writeTo opens a file with these flags and writes to it. It does not wait until somebody
// opens the other end of a FIFO (fifo(7)), and waits for its reader no longer than
// readerPatience.
func writeTo(path string, flags int, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, flags|syscall.O_NONBLOCK, 0o644)
	if errors.Is(err, syscall.ENXIO) {
		return errors.New("nobody reads it: start its reader first")
	}
	if err != nil {
		return err
	}
	err = errors.Join(buffered(deadlineWriter{f}, write), f.Close())
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("its reader took nothing for %s", readerPatience)
	}
	return err
}

// deadlineWriter gives each write to a file a deadline, where the kind of file has
// deadlines. It hides the other ways in which a file is written.
type deadlineWriter struct{ file *os.File }

func (f deadlineWriter) Write(b []byte) (int, error) {
	_ = f.file.SetWriteDeadline(time.Now().Add(readerPatience))
	return f.file.Write(b)
}

func buffered(f io.Writer, write func(io.Writer) error) error {
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

// withoutFileName leaves out of an error the name of the temporary file, which the user
// does not know.
func withoutFileName(err error) error {
	if path := new(fs.PathError); errors.As(err, &path) {
		return path.Err
	}
	if link := new(os.LinkError); errors.As(err, &link) {
		return link.Err
	}
	return err
}
