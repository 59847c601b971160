// An echo server as the examples of coder/websocket show it, with finwait's
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

	"github.com/coder/websocket"
)

// event is what the library tells: the error of a read, or of Close.
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

type conn struct {
	*websocket.Conn
	answer error // of the peer to our Close, where it told one
}

// background: the context of the request ends with the handler's connection
// (Accept's documentation).
var background = context.Background()

func (c *conn) send(kind websocket.MessageType, data []byte) error {
	return c.Write(background, kind, data)
}

// close waits for the peer's Close.
func (c *conn) close(args string) {
	code, reason, _ := strings.Cut(args, " ")
	n, err := strconv.Atoi(code)
	if err != nil {
		n = int(websocket.StatusNoStatusRcvd) // by which the library sends none
	}
	if err := c.Close(websocket.StatusCode(n), reason); err != nil {
		log.Print("close: ", err)
		mu.Lock()
		defer mu.Unlock()
		c.answer = err
	}
}

func (c *conn) obey(line string) {
	name, args, _ := strings.Cut(line, " ")
	switch name {
	case "hello":
		c.send(websocket.MessageText, []byte("finwait:v1 close terminate fill kick-all events"))
	case "close":
		c.close(args)
	case "terminate":
		c.CloseNow()
	case "fill":
		n, _ := strconv.Atoi(args)
		go func() {
			for ; n > 0 && c.send(websocket.MessageText, []byte(strings.Repeat("f", min(n, 65536)))) == nil; n -= 65536 {
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
		c.send(websocket.MessageText, list)
	}
}

func serve(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		log.Print("accept: ", err)
		return
	}
	c := &conn{Conn: ws}
	defer c.CloseNow()
	serving.Add(1)
	defer serving.Done()
	mu.Lock()
	conns[c] = true
	mu.Unlock()
	if open := r.URL.Query().Get("finwait-open"); open != "" {
		c.send(websocket.MessageText, []byte("finwait:opened"))
		c.obey(open)
	}
	for {
		kind, message, err := c.Read(background)
		if err != nil {
			c.told(r.URL.Query().Get("finwait"), err)
			return
		}
		if command, ok := strings.CutPrefix(string(message), "finwait:"); ok && kind == websocket.MessageText {
			c.obey(command)
		} else if err := c.send(kind, message); err != nil {
			log.Print("write: ", err) // the read tells what is the matter
		}
	}
}

func (c *conn) told(token string, err error) {
	mu.Lock()
	defer mu.Unlock()
	delete(conns, c)
	var closed websocket.CloseError
	if !errors.As(err, &closed) && c.answer != nil {
		err = c.answer
	}
	e := event{At: time.Now().UTC(), Error: err.Error()}
	if errors.As(err, &closed) {
		code := int(closed.Code)
		e.Code, e.Reason = &code, &closed.Reason
	}
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
