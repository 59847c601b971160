//go:build !linux

package main

import (
	"context"
	"errors"
)

func play(context.Context, *target, options) (_, _ *run, err error) {
	return nil, nil, errors.New("network namespaces need Linux")
}
