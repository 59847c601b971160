// An echo server as the examples of coder/websocket show it.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"

	"github.com/coder/websocket"
)

func echo(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		log.Print("accept: ", err)
		return
	}
	defer c.CloseNow()
	ctx := context.Background() // r.Context() ends with the handler's connection (Accept's documentation)
	for {
		kind, message, err := c.Reader(ctx)
		if err != nil {
			return
		}
		answer, err := c.Writer(ctx, kind)
		if err != nil {
			return
		}
		if _, err := io.Copy(answer, message); err != nil {
			return
		}
		if err := answer.Close(); err != nil {
			return
		}
	}
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening", l.Addr())
	log.Fatal(http.Serve(l, http.HandlerFunc(echo)))
}
