package peers

import "time"

// Look is what a peer found out, at one moment, about the server's socket: whether the server's
// process still held it. Its times are since the trigger.
type Look struct {
	Asked    time.Duration // a socket that was seen to be held was still held then
	Answered time.Duration // a socket that was seen to be let go had been let go by then
	State    LookState
	How      string // what showed it, such as "RST in answer to one byte"; or why it is not known
}

// LookState is what a look showed.
type LookState string

// The states. Silence is no proof that a socket is held: a firewall may drop RST.
const (
	Held    LookState = "held"
	LetGo   LookState = "let go"
	Unknown LookState = "unknown"
)
