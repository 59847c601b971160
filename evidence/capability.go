package evidence

// Capability is something a scenario or a rule needs of the target or of this
// host. Where it is missing, the result says so by this name.
type Capability string

// The capabilities.
const (
	Echo      Capability = "echo"          // the target answers a text message with the same text
	Local     Capability = "local"         // the kernel of this host shows the target's end of the connection
	Dark      Capability = "vanish"        // this host can drop a connection's incoming segments (IP_MINTTL)
	TellsCode Capability = "code"          // the close event of a peer that closes with a code has one
	CanStop   Capability = "process"       // finwait started the server, or was given a command that stops it
	TLS       Capability = "wss"           // the connection is TLS over TCP
	NetAdmin  Capability = "CAP_NET_ADMIN" // socket filters on TCP, TCP_REPAIR
	Sight     Capability = "sight"         // the peer can see what the server does: it is not dark, and has not ended its own side
	Patience  Capability = "patience"      // time enough for the script: what it pauses for is within the patience

	ChosenCode   Capability = "{code}"   // the server can be made to close with a code that finwait chooses
	ChosenReason Capability = "{reason}" // and with a reason
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
