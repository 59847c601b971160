// Package rules judges what was seen of a connection.
//
// A [Rule] is one requirement of docs/requirements.md. Its Check looks at an
// [evidence.Record] with the limits of a [Profile], and returns a [Finding]: the outcome,
// what the rule asks for (Want) and what was seen (Got). A check keeps no state, and says
// what was seen whatever the outcome is:
//
//   - kept or breached, where the record decides it;
//   - measured, for a rule that judges nothing (INFO);
//   - moot, where what the rule is about did not occur;
//   - unmeasured, where a capability is missing, so that it could not be seen. Where the
//     scenario exists for such a rule it has no pass.
//
// There is a file for each section of docs/requirements.md, with an archive of vectors
// beside it:
//
//	The peer closes first                         peerclose.go    testdata/peerclose.txt
//	The server closes first                       serverclose.go  testdata/serverclose.txt
//	What the server's own close event says        events.go       testdata/events.txt
//	The server fails the connection               failing.go      testdata/failing.txt
//	TCP ends without a closing handshake          abnormal.go     testdata/abnormal.txt
//	Shutdown of the whole server                  shutdown.go     testdata/shutdown.txt
//	The application closes one connection or all  kick.go         testdata/kick.txt
//	The probe after each scenario                 alive.go        testdata/alive.txt
//
// wire.go and socket.go hold what several of them ask of the wire and of the server's
// socket, and put it into words.
//
// # Adding a rule
//
// State the requirement in docs/requirements.md, and the rule in the file of its section.
// Name it in subjects, in vectors_test.go, and write a vector for each outcome that it can
// have (testdata/README.md). Give it to the scenarios that it judges, and to the reference
// server a fault that breaks it.
package rules
