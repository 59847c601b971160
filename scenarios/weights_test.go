package scenarios_test

import (
	"strings"
	"testing"

	"github.com/finwait/finwait/rules"
	"github.com/finwait/finwait/scenarios"
)

func TestWeightFlag(t *testing.T) {
	var got rules.Weights
	flag := scenarios.WeightFlag{To: &got}
	for _, step := range []struct {
		give       func(string) error
		text, want string // the weights then, or a part of the error
	}{
		{flag.Set, "R36=off", "R36=off"},
		{flag.SetDefault, "R36=fail", "R36=off"},
		{flag.SetDefault, " R34 = warn ", "R34=warn,R36=off"},
		{flag.Set, "R36=warn", "R34=warn,R36=warn"},
		{flag.Set, "alive=warn", "R34=warn,R36=warn,alive=warn"},
		{flag.Set, "r36=off", "(did you mean R36?)"},
		{flag.Set, "known-failure=off", "no rule has the id"},
		{flag.Set, "R36", "give one such as R36=off"},
		{flag.Set, "R36=none", "give fail, warn or off"},
		{flag.SetDefault, "R36=", "give fail, warn or off"},
		{flag.Set, "R32=warn", "R32 is INFO: it is measured and never judged: give off, or no weight"},
		{flag.SetDefault, "R20-seen=fail", "R20-seen is INFO: it is measured"},
		{flag.Set, "R32=off", "R32=off,R34=warn,R36=warn,alive=warn"},
	} {
		err := step.give(step.text)
		is := flag.String()
		if err != nil {
			is = err.Error()
		}
		if is != step.want && !(strings.Contains(is, step.want) && strings.Contains(is, " ")) {
			t.Errorf("%q: %s, want %s", step.text, is, step.want)
		}
	}
}
