// An echo server as the README of gws shows it, with finwait's control contract
// (docs/contract.md).
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

	"github.com/lxzan/gws"
)

// event is what the library tells: the error that OnClose is given.
type event struct {
	Code   *uint16   `json:"code"`
	Reason *string   `json:"reason"`
	Clean  *bool     `json:"clean"`
	At     time.Time `json:"at"`
	Error  string    `json:"error,omitempty"`
}

// handler answers Pings and does nothing else by itself.
type handler struct {
	gws.BuiltinEventHandler

	mu     sync.Mutex
	conns  map[*gws.Conn]bool
	events map[string][]event
}

// authorize keeps what of the request the connection needs later.
func authorize(r *http.Request, session gws.SessionStorage) bool {
	for _, name := range []string{"finwait", "finwait-open"} {
		session.Store(name, r.URL.Query().Get(name))
	}
	return true
}

func asked(c *gws.Conn, name string) string {
	value, _ := c.Session().Load(name)
	return value.(string)
}

func (h *handler) OnOpen(c *gws.Conn) {
	h.mu.Lock()
	h.conns[c] = true
	h.mu.Unlock()
	if open := asked(c, "finwait-open"); open != "" {
		_ = c.WriteString("finwait:opened")
		h.obey(c, open)
	}
}

func (h *handler) OnMessage(c *gws.Conn, message *gws.Message) {
	defer message.Close()
	if command, ok := strings.CutPrefix(string(message.Bytes()), "finwait:"); ok && message.Opcode == gws.OpcodeText {
		h.obey(c, command)
	} else {
		_ = c.WriteMessage(message.Opcode, message.Bytes()) // OnClose tells of an error
	}
}

func (h *handler) OnClose(c *gws.Conn, err error) {
	e := event{At: time.Now().UTC(), Error: err.Error()}
	var closed *gws.CloseError
	if errors.As(err, &closed) {
		reason := string(closed.Reason)
		e.Code, e.Reason = &closed.Code, &reason
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.conns, c)
	if token := asked(c, "finwait"); token != "" {
		h.events[token] = append(h.events[token], e)
	}
}

func (h *handler) obey(c *gws.Conn, line string) {
	name, args, _ := strings.Cut(line, " ")
	switch name {
	case "hello":
		_ = c.WriteString("finwait:v1 close terminate fill kick-all events")
	case "close":
		closes(c, args)
	case "terminate":
		_ = c.NetConn().Close()
	case "fill":
		n, _ := strconv.Atoi(args)
		go func() {
			for ; n > 0 && c.WriteString(strings.Repeat("f", min(n, 65536))) == nil; n -= 65536 {
			}
		}()
	case "kick-all":
		h.mu.Lock()
		defer h.mu.Unlock()
		for c := range h.conns {
			go closes(c, args)
		}
	case "events":
		h.mu.Lock()
		list, _ := json.Marshal(append([]event{}, h.events[args]...))
		h.mu.Unlock()
		_ = c.WriteMessage(gws.OpcodeText, list)
	}
}

// closes sends a Close frame with 1000 where no code is asked for: WriteClose
// always has one.
func closes(c *gws.Conn, args string) {
	code, reason, _ := strings.Cut(args, " ")
	n, err := strconv.ParseUint(code, 10, 16)
	if err != nil {
		n = 1000
	}
	if err := c.WriteClose(uint16(n), []byte(reason)); err != nil {
		log.Print("close: ", err)
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", l.Addr())
	upgrader := gws.NewUpgrader(&handler{conns: map[*gws.Conn]bool{}, events: map[string][]event{}},
		&gws.ServerOption{Authorize: authorize})
	log.Fatal(http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r)
		if err != nil {
			log.Print("upgrade: ", err)
			return
		}
		go c.ReadLoop() // "blocking prevents the context from being GC" (README)
	})))
}
