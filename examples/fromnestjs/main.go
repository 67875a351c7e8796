// Command fromnestjs is the Go form of the NestJS application in
// docs/guides/from-nestjs.md. It serves the same routes.
package main

import (
	"log"
	"net/http"
	"os"
	"time"

	"github.com/nestsession/session"
)

func main() {
	sessions, err := newSessions(os.Getenv("SESSION_SECRET"), os.Getenv("APP_ENV"))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:3000", routes(sessions, oneUser{})))
}

func newSessions(secret, env string) (*session.Manager[Account], error) {
	cfg := session.Config{
		Secrets: []string{secret},
		Cookie:  session.Cookie{MaxAge: 7 * 24 * time.Hour}, // 1 week; Secure and HttpOnly
	}
	if env == "none" {
		cfg.Cookie.Secure = session.Insecure
	}
	return session.New[Account](cfg)
}
