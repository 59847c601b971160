package harness

import (
	"fmt"
	"time"
)

// Format writes a duration with three significant digits: 0.32 ms, 1.25 s,
// 35.0 s. Below 10 microseconds it writes 0.01 ms: finwait does not see finer.
func Format(d time.Duration) string {
	unit, name := float64(time.Second), "s"
	if d > -time.Second && d < time.Second {
		unit, name = float64(time.Millisecond), "ms"
	}
	v := float64(d) / unit
	switch abs := max(v, -v); {
	case abs < 10:
		return fmt.Sprintf("%.2f %s", v, name)
	case abs < 100:
		return fmt.Sprintf("%.1f %s", v, name)
	}
	return fmt.Sprintf("%.0f %s", v, name)
}
