// A web server and a worker in one binary. The server redirects untidy paths, as Go's own mux does.
package main

import (
	"net/http"
	"os"
	"os/signal"
	"syscall"
)

func text(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(body)) }
}

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	if os.Args[1] == "mailer" {
		os.Create(os.Getenv("READY_FILE"))
		<-stop
		return
	}
	go func() { <-stop; os.Exit(0) }()
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", text("ok"))
	mux.HandleFunc("/readyz", text("ok"))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
			"X-XSS-Protection":        "0",
			"Referrer-Policy":         "no-referrer",
		} {
			w.Header().Set(name, value)
		}
		w.Write([]byte("<!doctype html><title>standin</title><p>hello"))
	})
	safe := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("X-Frame-Options", "DENY")
		mux.ServeHTTP(w, r)
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), safe); err != nil {
		os.Exit(1)
	}
}
