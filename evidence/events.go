package evidence

import (
	"fmt"
	"strings"
	"time"
)

// AppEvent is one close event, as the server's application reports it. What its library
// does not report is nil.
type AppEvent struct {
	Code   *int       `json:"code"`
	Reason *string    `json:"reason"`
	Clean  *bool      `json:"clean"`
	At     *time.Time `json:"at"`
	Error  string     `json:"error,omitempty"`
}

// String describes the event in one line.
func (e AppEvent) String() string {
	parts := []string{"code null"}
	if e.Code != nil {
		parts[0] = fmt.Sprintf("code %d", *e.Code)
	}
	if e.Reason != nil && *e.Reason != "" {
		parts = append(parts, fmt.Sprintf("reason %+q", *e.Reason))
	}
	if e.Clean != nil {
		parts = append(parts, map[bool]string{true: "clean", false: "not clean"}[*e.Clean])
	}
	if e.Error != "" {
		parts = append(parts, fmt.Sprintf("error %+q", e.Error))
	}
	return strings.Join(parts, ", ")
}

// AppEvents are the close events that the application had for one connection.
type AppEvents struct {
	Asked bool       // finwait asked the target for them
	None  time.Time  // when finwait asked last before an answer without an event; zero: there was no such answer
	Came  time.Time  // when the answer that has the list came; zero: none came
	List  []AppEvent // in the order of the answer
	Err   string     // why there is no list: no answer came, or a malformed one
}
