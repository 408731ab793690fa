// What Go reads of a request: told as JSON, for judged.py. reader SOCKET
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

// As a server has it that reads into a struct: names in any case, what follows the value left alone.
type body struct {
	Model   json.RawMessage `json:"model"`
	Options json.RawMessage `json:"options"`
}
type options struct {
	N json.RawMessage `json:"n"`
}

func members(text []byte) any {
	if len(text) == 0 {
		return nil
	}
	var read body
	if json.NewDecoder(bytes.NewReader(text)).Decode(&read) != nil {
		return "no json"
	}
	told := map[string]any{}
	if read.Model != nil {
		told["model"] = read.Model
	}
	var inner options
	if json.Unmarshal(read.Options, &inner) == nil && inner.N != nil {
		told["n"] = inner.N
	}
	return told
}

func serve(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	query := map[string][]string{}
	for name, values := range r.URL.Query() {
		if strings.EqualFold(name, "admin") {
			query[name] = values
		}
	}
	headers := map[string]string{}
	for _, name := range []string{"X-Role", "Accept", "Cookie"} {
		if _, is_there := r.Header[name]; is_there {
			headers[strings.ToLower(name)] = base64.StdEncoding.EncodeToString([]byte(r.Header.Get(name)))
		}
	}
	told, err := json.Marshal(map[string]any{
		"case": r.Header.Get("X-Case"), "method": r.Method, "path": base64.StdEncoding.EncodeToString([]byte(r.URL.Path)), "query": query,
		"headers": headers, "json": members(text), "bytes": len(text), "decoded": true,
	})
	if err != nil {
		panic(err)
	}
	w.Write(told)
}

func main() {
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString("ready\n")
	// Not ServeMux: it answers paths that it would write otherwise with a redirect.
	server := http.Server{Handler: http.HandlerFunc(serve), MaxHeaderBytes: 1 << 20}
	panic(server.Serve(listener))
}
