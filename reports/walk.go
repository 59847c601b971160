package reports

import (
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"
)

// walk visits each text and each floating-point number of a model. Model points to it;
// what an error of visit says is of the number or text.
func walk(model any, visit func(leaf reflect.Value) error) error {
	var walkValue func(v reflect.Value) error
	walkValue = func(v reflect.Value) error {
		switch v.Kind() {
		case reflect.String, reflect.Float64:
			return visit(v)
		case reflect.Pointer:
			if !v.IsNil() {
				return walkValue(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				if err := walkValue(v.Index(i)); err != nil {
					return err
				}
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return nil
			}
			for i := range v.NumField() {
				if err := walkValue(v.Field(i)); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return walkValue(reflect.ValueOf(model))
}

// escapeInvalidUTF8 shows bytes that are not UTF-8 as escapes, such as \xff: JSON
// cannot hold them, and the model says the same before it is written and when it is
// read.
func escapeInvalidUTF8(model any) {
	_ = walk(model, func(leaf reflect.Value) error {
		if leaf.Kind() == reflect.String && !utf8.ValidString(leaf.String()) {
			leaf.SetString(escape(leaf.String(), func(rune) bool { return true }))
		}
		return nil
	})
}

// most is the largest number that a report holds: 30 years in seconds.
const most = 1e9

// checkNumbers tells of a number that no run measures.
func checkNumbers(model any) error {
	return walk(model, func(leaf reflect.Value) error {
		if leaf.Kind() == reflect.Float64 && !(leaf.Float() >= -most && leaf.Float() <= most) {
			return fmt.Errorf("%g is no number that finwait measures", leaf.Float())
		}
		return nil
	})
}
