// Command scale computes what a deployment takes from what was measured, and writes the tables and
// the plots of docs/scale.md.
//
//	go run ./sizing/scale            # prints the tables
//	go run ./sizing/scale -write     # puts them and the plots into the page
//	go run ./sizing/scale -nodes 20 -sessions 5e6 -requests 50   # your deployment
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	d := typical(0, 1e6)
	flag.Float64Var(&d.nodes, "nodes", d.nodes, "nodes of your deployment; 0 prints the tables of the page")
	flag.Float64Var(&d.sessions, "sessions", d.sessions, "sessions that are kept")
	flag.Float64Var(&d.requests, "requests", d.requests, "requests of a session, a day")
	flag.Float64Var(&d.peak, "peak", d.peak, "the busiest second beside the average one")
	flag.Float64Var(&d.saves, "saves", d.saves, "share of requests that change the session")
	flag.Float64Var(&d.visit, "visit", d.visit, "requests of a visit")
	flag.BoolVar(&d.near, "near", d.near, "with package nearcache")
	docs := flag.String("docs", "../docs", "folder of the documents")
	write := flag.Bool("write", false, "write the tables and plots into the page")
	flag.Parse()
	if d.nodes > 0 {
		fmt.Print(one(d))
		return
	}
	if !*write {
		for _, t := range tables() {
			fmt.Printf("%s\n\n%s\n", t.name, t.text)
		}
		return
	}
	if err := writePage(*docs); err != nil {
		log.Fatal(err)
	}
}

func writePage(docs string) error {
	page := filepath.Join(docs, "scale.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	filled, err := fill(string(text))
	if err != nil {
		return err
	}
	if err := os.WriteFile(page, []byte(filled), 0o644); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(docs, "scale"), 0o755); err != nil {
		return err
	}
	for name, svg := range plots() {
		if err := os.WriteFile(filepath.Join(docs, "scale", name), []byte(svg), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fill replaces what is between the comments of each table.
func fill(page string) (string, error) {
	for _, t := range tables() {
		begin, end := "<!-- "+t.name+" -->\n", "<!-- end of "+t.name+" -->"
		before, rest, ok := strings.Cut(page, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			return "", fmt.Errorf("the page has no place for the table %q", t.name)
		}
		page = before + begin + "\n" + t.text + "\n" + end + after
	}
	return page, nil
}
