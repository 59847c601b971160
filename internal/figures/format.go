// Package figures writes measured values for readers.
package figures

import (
	"fmt"
	"math"
	"time"
)

// Format writes a duration with three significant digits: 0.32 ms, 1.25 s,
// 35.0 s. Finwait does not see finer than 0.01 ms.
func Format(d time.Duration) string {
	v, unit := d.Seconds(), "s"
	if math.Abs(v) < 0.9995 {
		v, unit = v*1000, "ms"
	}
	switch abs := math.Abs(v); {
	case abs < 0.005:
		return "0.00 " + unit
	case abs < 9.995:
		return fmt.Sprintf("%.2f %s", v, unit)
	case abs < 99.95:
		return fmt.Sprintf("%.1f %s", v, unit)
	}
	return fmt.Sprintf("%.0f %s", v, unit)
}
