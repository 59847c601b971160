// An echo server as the examples of nbio show it, with finwait's
// control contract (docs/contract.md).
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/lesismal/nbio/nbhttp"
	"github.com/lesismal/nbio/nbhttp/websocket"
)

// event is what the library tells: the error that OnClose is given.
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

type conn struct{ *websocket.Conn }

func (c *conn) send(kind websocket.MessageType, data []byte) error { return c.WriteMessage(kind, data) }

// close sends a Close frame; the engine reads on until the peer's.
func (c *conn) close(args string) {
	code, reason, _ := strings.Cut(args, " ")
	n, err := strconv.Atoi(code)
	if err == nil {
		err = c.WriteClose(n, reason)
	} else {
		err = c.WriteMessage(websocket.CloseMessage, nil)
	}
	if err != nil {
		log.Print("close: ", err)
	}
}

func (c *conn) obey(line string) {
	name, args, _ := strings.Cut(line, " ")
	switch name {
	case "hello":
		c.send(websocket.TextMessage, []byte("finwait:v1 close terminate fill kick-all events"))
	case "close":
		c.close(args)
	case "terminate":
		c.Close()
	case "fill":
		n, _ := strconv.Atoi(args)
		go func() {
			for ; n > 0 && c.send(websocket.TextMessage, []byte(strings.Repeat("f", min(n, 65536)))) == nil; n -= 65536 {
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
		c.send(websocket.TextMessage, list)
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	token, open := r.URL.Query().Get("finwait"), r.URL.Query().Get("finwait-open")
	c := &conn{}
	upgrader := websocket.NewUpgrader()
	upgrader.OnOpen(func(ws *websocket.Conn) {
		c.Conn = ws
		mu.Lock()
		conns[c] = true
		mu.Unlock()
		if open != "" {
			c.send(websocket.TextMessage, []byte("finwait:opened"))
			c.obey(open)
		}
	})
	upgrader.OnMessage(func(_ *websocket.Conn, kind websocket.MessageType, message []byte) {
		if command, ok := strings.CutPrefix(string(message), "finwait:"); ok && kind == websocket.TextMessage {
			c.obey(command)
		} else if err := c.send(kind, message); err != nil {
			log.Print("write: ", err) // OnClose tells what is the matter
		}
	})
	upgrader.OnClose(func(_ *websocket.Conn, err error) { c.told(token, err) })
	if _, err := upgrader.Upgrade(w, r, nil); err != nil {
		log.Print("upgrade: ", err)
	}
}

func (c *conn) told(token string, err error) {
	e := event{At: time.Now().UTC()}
	if err != nil {
		e.Error = err.Error()
	}
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		e.Code, e.Reason = &closed.Code, &closed.Reason
	}
	mu.Lock()
	defer mu.Unlock()
	delete(conns, c)
	if token != "" {
		events[token] = append(events[token], e)
	}
}

func main() {
	engine := nbhttp.NewEngine(nbhttp.Config{
		Network: "tcp", Addrs: []string{"127.0.0.1:" + os.Getenv("PORT")}, Handler: http.HandlerFunc(serve),
	})
	if err := engine.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", engine.Addrs[0])
	select {}
}
