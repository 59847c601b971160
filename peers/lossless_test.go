package peers

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"
)

// neverShown are the exported fields of steps that String leaves out, and why.
var neverShown = map[string]string{
	"AwaitMatch.Accepts": "What describes the function",
}

// TestStringShowsEveryField changes each step of the table in one place after the
// other, however deep it lies: the step has another line then.
func TestStringShowsEveryField(t *testing.T) {
	changed := map[string]bool{}
	for _, l := range lines {
		before := l.step.String()
		variants(reflect.ValueOf(l.step), changed, func(path string, other reflect.Value) {
			if line := other.Interface().(Step).String(); line == before {
				t.Errorf("%T with another value at %q has the same line: %s", l.step, path, line)
			}
		})
	}
	for field, was := range changed {
		if _, never := neverShown[field]; never == was {
			t.Errorf("%s: changed %t, but never shown %t", field, was, never)
		}
	}
	if !changed["Frame.Announce"] || !changed["SlowReading.Every"] || len(changed) < 30 {
		t.Errorf("changed only %v", changed)
	}
}

// variants gives copies of v that differ from it in one place, with the path to that
// place. It notes each exported field that it finds, and whether it changed it.
func variants(v reflect.Value, changed map[string]bool, give func(path string, other reflect.Value)) {
	whole := func(other any) { give("", reflect.ValueOf(other).Convert(v.Type())) }
	switch v.Kind() {
	case reflect.Bool:
		whole(!v.Bool())
	case reflect.Int, reflect.Int64:
		whole(v.Int() + 1)
	case reflect.Uint8, reflect.Uint64:
		whole(v.Uint() + 1)
	case reflect.String:
		whole(v.String() + "x")
	case reflect.Interface:
		if v.IsNil() {
			whole(HoldOpen{})
			return
		}
		variants(v.Elem(), changed, give)
	case reflect.Pointer:
		variants(v.Elem(), changed, func(path string, other reflect.Value) {
			p := reflect.New(v.Type().Elem())
			p.Elem().Set(other)
			give(path, p)
		})
	case reflect.Slice:
		give("+", reflect.Append(v.Slice3(0, v.Len(), v.Len()), reflect.Zero(v.Type().Elem())))
		for _, i := range ends(v.Len()) {
			variants(v.Index(i), changed, func(path string, other reflect.Value) {
				list := reflect.AppendSlice(reflect.Zero(v.Type()), v)
				list.Index(i).Set(other)
				give(fmt.Sprintf("[%d]%s", i, path), list)
			})
		}
	case reflect.Struct:
		for i, f := range reflect.VisibleFields(v.Type()) {
			if !f.IsExported() {
				continue
			}
			field := v.Type().Name() + "." + f.Name
			changed[field] = changed[field] // it is there, also where nothing changes it
			variants(v.Field(i), changed, func(path string, other reflect.Value) {
				s := reflect.New(v.Type()).Elem()
				s.Set(v)
				s.Field(i).Set(other)
				if !sameOnTheWire(v, s) {
					changed[field] = true
					give("."+f.Name+path, s)
				}
			})
		}
	}
}

// ends are the first, the middle and the last index of n elements.
func ends(n int) []int {
	if n == 0 {
		return nil
	}
	return slices.Compact([]int{0, n / 2, n - 1})
}

// sameOnTheWire tells whether the values are frames that are encoded alike, such as
// one whose Announce is not written because Wide is false.
func sameOnTheWire(a, b reflect.Value) bool {
	f, ok := a.Interface().(Frame)
	return ok && bytes.Equal(f.Encode(), b.Interface().(Frame).Encode())
}
