package reports

import (
	"fmt"
	"reflect"
	"time"
	"unicode/utf8"
)

// walk calls visit for each text and each floating-point number of the model that model
// points to. It ends with the first error of visit.
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

// escapeInvalidUTF8 replaces bytes that are not UTF-8 by escapes such as \xff. JSON cannot
// hold such bytes, and a model that was read from JSON is to be equal to the one that was
// written.
func escapeInvalidUTF8(model any) {
	_ = walk(model, func(leaf reflect.Value) error {
		if leaf.Kind() == reflect.String && !utf8.ValidString(leaf.String()) {
			leaf.SetString(escape(leaf.String(), func(rune) bool { return true }))
		}
		return nil
	})
}

// largestNumber is the largest that a report may hold: 30 years in seconds.
const largestNumber = 1e9

// checkNumbers is an error where the model holds a number that no run measures.
func checkNumbers(model any) error {
	return walk(model, func(leaf reflect.Value) error {
		if leaf.Kind() == reflect.Float64 && !(leaf.Float() >= -largestNumber && leaf.Float() <= largestNumber) {
			return fmt.Errorf("%g is no number that finwait measures", leaf.Float())
		}
		return nil
	})
}
