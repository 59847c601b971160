// An echo server as the examples of gorilla/websocket show it, with finwait's
// control contract (docs/contract.md).
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

var upgrader = websocket.Upgrader{}

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

	serving sync.WaitGroup // connections
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
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		log.Print("upgrade: ", err)
		return
	}
	c := &conn{Conn: ws}
	defer c.Close()
	serving.Add(1)
	defer serving.Done()
	mu.Lock()
	conns[c] = true
	mu.Unlock()
	if open := r.URL.Query().Get("finwait-open"); open != "" {
		c.send(websocket.TextMessage, []byte("finwait:opened"))
		c.obey(open)
	}
	for {
		kind, message, err := c.ReadMessage()
		if err != nil {
			c.told(r.URL.Query().Get("finwait"), err)
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
	server := &http.Server{Handler: http.HandlerFunc(serve)}
	// Shutdown neither closes nor waits for connections that were taken over
	// (net/http): the application tells them and waits itself.
	server.RegisterOnShutdown(func() {
		mu.Lock()
		defer mu.Unlock()
		for c := range conns {
			go c.close("1001")
		}
	})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		if err := server.Serve(l); err != http.ErrServerClosed {
			log.Fatal(err)
		}
	}()
	<-stop
	limit, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = server.Shutdown(limit)
	ended := make(chan struct{})
	go func() { serving.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-limit.Done():
	}
}
