// Package reports turns a run into what people and machines read: terminal,
// JUnit, JSON. It judges nothing, and treats every string of a server as
// hostile.
package reports
