package evidence

// Capability is something that a scenario or a rule needs of the target or of this host.
// Where it is missing, the result names it.
type Capability string

// The capabilities.
const (
	Echo      Capability = "echo"          // the target echoes text messages
	Local     Capability = "local"         // the kernel of this host shows the target's end of the connection
	Dark      Capability = "vanish"        // this host can make a peer vanish: its kernel drops the incoming segments (IP_MINTTL)
	TellsCode Capability = "code"          // a close event has the code with which the peer closed
	CanStop   Capability = "process"       // finwait started the server, or was given a command that stops it
	TLS       Capability = "wss"           // the connection is TLS over TCP
	NetAdmin  Capability = "CAP_NET_ADMIN" // finwait may set socket filters and TCP_REPAIR
	Sight     Capability = "sight"         // the peer could see the end of TCP: it was not dark, and had not ended its own side
	Patience  Capability = "patience"      // the patience is long enough for the script, with its pauses
	Platform  Capability = "platform"      // this system can do what the script wants, such as choose a small receive buffer
	Admission Capability = "admission"     // the server takes the connection: it does not answer 429 or 503

	ChosenCode   Capability = "{code}"   // the server can be made to close with a code that finwait chooses
	ChosenReason Capability = "{reason}" // the server can be made to close with a reason that finwait chooses
)

// The commands of the control contract, v1 (docs/contract.md), as capabilities.
const (
	CanClose     Capability = "finwait:close"
	CanTerminate Capability = "finwait:terminate"
	CanFill      Capability = "finwait:fill"
	CanKickAll   Capability = "finwait:kick-all"
	CanEvents    Capability = "finwait:events"
	CanOpen      Capability = "?finwait-open"
)
