// An echo server as the examples of fasthttp/websocket show it, with finwait's
// control contract (docs/contract.md).
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"
)

var upgrader = websocket.FastHTTPUpgrader{}

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

// conn lets one goroutine write at a time, as the library asks.
type conn struct {
	*websocket.Conn
	writing sync.Mutex
}

func (c *conn) send(kind int, data []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	return c.WriteMessage(kind, data)
}

// close sends a Close frame; the read loop goes on until the peer's. WriteControl
// may be called beside other writes.
func (c *conn) close(args string) {
	code, reason, _ := strings.Cut(args, " ")
	body := []byte{}
	if n, err := strconv.Atoi(code); err == nil {
		body = websocket.FormatCloseMessage(n, reason)
	}
	if err := c.WriteControl(websocket.CloseMessage, body, time.Now().Add(time.Second)); err != nil {
		log.Print("close: ", err)
	}
}

func (c *conn) obey(line string) {
	name, args, _ := strings.Cut(line, " ")
	switch name {
	case "hello":
		c.send(websocket.TextMessage, []byte("finwait:v1 close fill kick-all events"))
	case "close":
		c.close(args)
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

func serve(ctx *fasthttp.RequestCtx) {
	query := ctx.QueryArgs()
	token, open := string(query.Peek("finwait")), string(query.Peek("finwait-open"))
	if err := upgrader.Upgrade(ctx, func(ws *websocket.Conn) { talk(&conn{Conn: ws}, token, open) }); err != nil {
		log.Print("upgrade: ", err)
	}
}

func talk(c *conn, token, open string) {
	defer c.Close()
	mu.Lock()
	conns[c] = true
	mu.Unlock()
	if open != "" {
		c.send(websocket.TextMessage, []byte("finwait:opened"))
		c.obey(open)
	}
	for {
		kind, message, err := c.ReadMessage()
		if err != nil {
			c.told(token, err)
			return
		}
		if command, ok := strings.CutPrefix(string(message), "finwait:"); ok && kind == websocket.TextMessage {
			c.obey(command)
		} else if err := c.send(kind, message); err != nil {
			log.Print("write: ", err) // the read tells what is the matter
		}
	}
}

func (c *conn) told(token string, err error) {
	e := event{At: time.Now().UTC(), Error: err.Error()}
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		e.Code, e.Reason = &closed.Code, &closed.Text
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
	log.Fatal(fasthttp.Serve(l, serve))
}
