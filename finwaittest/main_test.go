package finwaittest_test

import (
	"testing"

	"github.com/finwait/finwait/internal/quiet"
)

func TestMain(m *testing.M) { new(quiet.Machine).Tests(m).Run() }
