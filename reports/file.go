package reports

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// CheckWritable tells, before a run, whether [WriteFile] could write path. It
// leaves nothing behind and touches no file that is there.
func CheckWritable(path string) error {
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return fmt.Errorf("cannot write the report %s: it is a directory", path)
	case err == nil && !info.Mode().IsRegular():
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot write the report %s: %w", path, cause(err))
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".finwait-*")
	if err != nil {
		return fmt.Errorf("cannot write the report %s: %w", path, cause(err))
	}
	_ = f.Close()
	return os.Remove(f.Name())
}

// WriteFile writes a report whole or not at all: to a temporary file beside
// path, which then takes its place. What is not a regular file, such as
// /dev/stdout, is written directly.
func WriteFile(path string, write func(io.Writer) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot write the report %s: %w", path, cause(err))
		}
	}()
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(buffered(f, write), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".finwait-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it has been renamed
	if err := errors.Join(buffered(f, write), f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Append writes a report behind what is in a file, such as a step's summary;
// without a path it does nothing.
func Append(path string, write func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		err = errors.Join(buffered(f, write), f.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot append the report to %s: %w", path, cause(err))
	}
	return nil
}

func buffered(f io.Writer, write func(io.Writer) error) error {
	w := bufio.NewWriter(f)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

// cause leaves out the name of the temporary file.
func cause(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
