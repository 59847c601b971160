//go:build !linux

package main

import (
	"context"
	"errors"

	"github.com/finwait/finwait/reports"
)

func play(context.Context, *target, options) (_, _ *reports.Report, err error) {
	return nil, nil, errors.New("network namespaces need Linux")
}
