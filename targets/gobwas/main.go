// An echo server as the README of gobwas/ws shows it, with wsutil, with finwait's
// control contract (docs/contract.md).
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
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

// conn lets one goroutine write at a time.
type conn struct {
	net.Conn
	writing sync.Mutex
	closing bool // the own Close is sent: data may no longer be (RFC 6455, 5.5.1)
}

// Write is what wsutil answers control frames by.
func (c *conn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.Conn.Write(b)
}

func (c *conn) send(op ws.OpCode, data []byte) error {
	b := ws.MustCompileFrame(ws.NewFrame(op, true, data))
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closing {
		return nil
	}
	c.closing = op == ws.OpClose
	_, err := c.Conn.Write(b)
	return err
}

// close sends a Close frame: the library has no call that waits for the peer's.
func (c *conn) close(args string) {
	code, reason, _ := strings.Cut(args, " ")
	body := []byte{}
	if n, err := strconv.Atoi(code); err == nil {
		body = ws.NewCloseFrameBody(ws.StatusCode(n), reason)
	}
	if err := c.send(ws.OpClose, body); err != nil {
		log.Print("close: ", err)
	}
}

func (c *conn) obey(line string) {
	name, args, _ := strings.Cut(line, " ")
	switch name {
	case "hello":
		c.send(ws.OpText, []byte("finwait:v1 close terminate fill kick-all events"))
	case "close":
		go c.close(args)
	case "terminate":
		c.Close()
	case "fill":
		n, _ := strconv.Atoi(args)
		go func() {
			for ; n > 0 && c.send(ws.OpText, []byte(strings.Repeat("f", min(n, 65536)))) == nil; n -= 65536 {
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
		c.send(ws.OpText, list)
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	accepted, _, _, err := ws.UpgradeHTTP(r, w)
	if err != nil {
		log.Print("upgrade: ", err)
		return
	}
	c := &conn{Conn: accepted}
	defer c.Close()
	mu.Lock()
	conns[c] = true
	mu.Unlock()
	if open := r.URL.Query().Get("finwait-open"); open != "" {
		c.send(ws.OpText, []byte("finwait:opened"))
		c.obey(open)
	}
	for {
		message, kind, err := wsutil.ReadClientData(c)
		if err != nil {
			c.told(r.URL.Query().Get("finwait"), err)
			return
		}
		if command, ok := strings.CutPrefix(string(message), "finwait:"); ok && kind == ws.OpText {
			c.obey(command)
		} else if err := c.send(kind, message); err != nil {
			log.Print("write: ", err) // the read tells what is the matter
		}
	}
}

func (c *conn) told(token string, err error) {
	e := event{At: time.Now().UTC(), Error: err.Error()}
	var closed wsutil.ClosedError
	if errors.As(err, &closed) {
		code := int(closed.Code)
		e.Code, e.Reason = &code, &closed.Reason
	}
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
	log.Fatal(http.Serve(l, http.HandlerFunc(serve)))
}
