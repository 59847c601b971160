package reports_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/finwait/finwait/reports"
	"github.com/finwait/finwait/rules"
)

// TestProfileHasAll: whatever a run is judged by makes its report another: none of
// the fields of [rules.Profile] is dropped, now or later.
func TestProfileHasAll(t *testing.T) {
	code := 1000
	values := map[reflect.Type]any{
		reflect.TypeFor[time.Duration](): 1234567 * time.Microsecond, reflect.TypeFor[bool](): true, reflect.TypeFor[[]int](): []int{1012},
		reflect.TypeFor[rules.Convention](): rules.Convention{Declared: true, Code: &code},
		reflect.TypeFor[rules.Weights]():    rules.Weights{"R36": rules.Off},
	}
	none := reports.NewProfile(rules.Profile{})
	for _, field := range reflect.VisibleFields(reflect.TypeFor[rules.Profile]()) {
		value, ok := values[field.Type]
		if !ok {
			t.Errorf("%s: give a value of type %s", field.Name, field.Type)
			continue
		}
		var p rules.Profile
		reflect.ValueOf(&p).Elem().FieldByIndex(field.Index).Set(reflect.ValueOf(value))
		is := reports.NewProfile(p)
		text, err := json.Marshal(is)
		var back reports.Profile
		if err != nil || json.Unmarshal(text, &back) != nil || !back.Equal(is) {
			t.Errorf("%s: %s reads back as %s", field.Name, text, back)
		}
		if is.Equal(none) || none.Equal(back) {
			t.Errorf("%s is dropped", field.Name)
		}
		before, after := reports.New(example()), reports.New(example())
		before.Profile, after.Profile = none, back
		d := reports.Compare(before, after, threshold)
		if len(d.Notes) == 0 || !strings.Contains(strings.Join(d.Notes, " "), is.String()) {
			t.Errorf("%s: a diff notes %q", field.Name, d.Notes)
		}
		run := example()
		run.Profile = p
		var b bytes.Buffer
		if err := reports.JSON(&b, reports.New(run)); err != nil {
			t.Fatal(err)
		}
		fits(t, "report", b.Bytes())
	}
}

// TestProfileEqual: what is the same compares as such, in whatever order and however
// it was read.
func TestProfileEqual(t *testing.T) {
	one, other := 1000, 1000
	null := rules.Convention{Declared: true}
	for name, c := range map[string]struct {
		a, b rules.Profile
		want bool
	}{
		"codes in another order": {rules.Profile{ShutdownCodes: []int{1012, 1001}},
			rules.Profile{ShutdownCodes: []int{1001, 1012, 1012}}, true},
		"no codes": {rules.Profile{ShutdownCodes: []int{}}, rules.Profile{}, true},
		"the same code": {rules.Profile{NoCode: rules.Convention{Declared: true, Code: &one}},
			rules.Profile{NoCode: rules.Convention{Declared: true, Code: &other}}, true},
		"null is no code": {rules.Profile{LostCode: null},
			rules.Profile{LostCode: rules.Convention{Declared: true, Code: &one}}, false},
		"null is declared": {rules.Profile{LostCode: null}, rules.Profile{}, false},
		"which code":       {rules.Profile{LostCode: null}, rules.Profile{NoCode: null}, false},
		"no weights":       {rules.Profile{Weights: rules.Weights{}}, rules.Profile{}, true},
		"another weight": {rules.Profile{Weights: rules.Weights{"R36": rules.Off}},
			rules.Profile{Weights: rules.Weights{"R36": rules.Warns}}, false},
	} {
		if got := reports.NewProfile(c.a).Equal(reports.NewProfile(c.b)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
