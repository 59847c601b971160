// Package lab has laboratories for tests of the network: two network namespaces of Linux
// joined by a link, which exist as long as the test. The link is a veth pair, or a wire in
// user space that delays and loses packets, drops RST, and translates addresses as a NAT
// does. A [Relay] ends TCP in between. The package judges nothing.
//
// Namespaces need CAP_SYS_ADMIN and CAP_NET_ADMIN in the namespace of the caller.
package lab
