// An echo server as the example of golang.org/x/net/websocket shows it, with finwait's
// control contract (docs/contract.md).
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/websocket"
)

// event is what the library tells: the error of a read.
type event struct {
	Code   *int      `json:"code"`
	Reason *string   `json:"reason"`
	Clean  *bool     `json:"clean"`
	At     time.Time `json:"at"`
	Error  string    `json:"error,omitempty"`
}

var (
	mu     sync.Mutex
	conns  = map[*conn]bool{}
	events = map[string][]event{}
)

// conn is a connection; the library lets several goroutines write.
type conn struct{ *websocket.Conn }

// message is data with its kind, which the library's own codecs do not keep.
type message struct {
	data []byte
	kind byte
}

var codec = websocket.Codec{
	Marshal: func(v any) ([]byte, byte, error) { m := v.(message); return m.data, m.kind, nil },
	Unmarshal: func(data []byte, kind byte, v any) error {
		*v.(*message) = message{data, kind}
		return nil
	},
}

func (c *conn) send(kind byte, data []byte) error { return codec.Send(c.Conn, message{data, kind}) }

// close: WriteClose sends a code, never a reason; without a code, Close is all
// there is, and sends a Close frame without one.
func (c *conn) close(args string) {
	code, _, _ := strings.Cut(args, " ")
	n, err := strconv.Atoi(code)
	if err != nil {
		err = c.Close()
	} else {
		err = c.WriteClose(n)
	}
	if err != nil {
		log.Print("close: ", err)
	}
}

func (c *conn) obey(line string) {
	name, args, _ := strings.Cut(line, " ")
	switch name {
	case "hello":
		c.send(websocket.TextFrame, []byte("finwait:v1 close fill kick-all events"))
	case "close":
		c.close(args)
	case "fill":
		n, _ := strconv.Atoi(args)
		go func() {
			for ; n > 0 && c.send(websocket.TextFrame, []byte(strings.Repeat("f", min(n, 65536)))) == nil; n -= 65536 {
			}
		}()
	case "kick-all":
		mu.Lock()
		defer mu.Unlock()
		for c := range conns {
			go c.close(args)
		}
	case "events":
		mu.Lock()
		list, _ := json.Marshal(append([]event{}, events[args]...))
		mu.Unlock()
		c.send(websocket.TextFrame, list)
	}
}

func serve(ws *websocket.Conn) {
	c, r := &conn{ws}, ws.Request()
	defer c.Close()
	mu.Lock()
	conns[c] = true
	mu.Unlock()
	if open := r.URL.Query().Get("finwait-open"); open != "" {
		c.send(websocket.TextFrame, []byte("finwait:opened"))
		c.obey(open)
	}
	for {
		var m message
		err := codec.Receive(c.Conn, &m)
		if err != nil {
			c.told(r.URL.Query().Get("finwait"), err)
			return
		}
		if command, ok := strings.CutPrefix(string(m.data), "finwait:"); ok && m.kind == websocket.TextFrame {
			c.obey(command)
		} else if err := c.send(m.kind, m.data); err != nil {
			log.Print("write: ", err) // the read tells what is the matter
		}
	}
}

func (c *conn) told(token string, err error) {
	e := event{At: time.Now().UTC(), Error: err.Error()}
	mu.Lock()
	defer mu.Unlock()
	delete(conns, c)
	if token != "" {
		events[token] = append(events[token], e)
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", l.Addr())
	// Server and not Handler, which asks for an Origin
	log.Fatal(http.Serve(l, websocket.Server{Handler: serve}))
}
