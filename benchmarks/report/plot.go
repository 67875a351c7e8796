package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// The plots' sizes, in pixels. Names of contenders are at the right.
const (
	width, rowHeight      = 860, 22
	left, right, top, low = 80, 200, 40, 40
	plotHeight            = 420
)

// palette is for lines; ours is the first. All differ in gray, too.
var palette = []string{"#c0392b", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf", "#000000", "#ff7f0e", "#aec7e8"}

// drawing is an SVG file while it is written.
type drawing struct{ strings.Builder }

func newDrawing(height int, title string) *drawing {
	d := &drawing{}
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", width, height, width, height)
	fmt.Fprintf(d, `<title>%s</title><rect width="100%%" height="100%%" fill="#fff"/>`+"\n", html.EscapeString(title))
	d.text(left, 22, "start", "bold", title)
	return d
}

func (d *drawing) text(x, y float64, anchor, weight, text string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%.1f" text-anchor="%s" font-weight="%s">%s</text>`+"\n", x, y, anchor, weight, html.EscapeString(text))
}

func (d *drawing) line(x1, y1, x2, y2 float64, color string) {
	fmt.Fprintf(d, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
}

func (d *drawing) end() string {
	d.WriteString("</svg>\n")
	return d.String()
}

// plot draws time against the number of sessions, or bars if there is only one number.
func (c comparison) plot() string {
	if len(c.sessions()) > 1 {
		return c.lines()
	}
	return c.bars()
}

// lines has a line for each contender, on two logarithmic axes, and a bar for the spread.
func (c comparison) lines() string {
	d := newDrawing(plotHeight, c.title()+", by sessions in use")
	smallest, largest := math.Inf(1), 0.0
	for _, r := range c.all {
		smallest, largest = min(smallest, r.lowest()), max(largest, r.highest())
	}
	numbers := c.sessions()
	first, last := math.Log10(float64(max(numbers[0], 1))), math.Log10(float64(numbers[len(numbers)-1]))
	bottom, ceiling := math.Floor(math.Log10(smallest)), math.Ceil(math.Log10(largest))
	x := func(sessions int) float64 {
		return left + (width-left-right)*(math.Log10(float64(max(sessions, 1)))-first)/max(last-first, 1e-9)
	}
	y := func(ns float64) float64 {
		return plotHeight - low - (plotHeight-low-top)*(math.Log10(ns)-bottom)/max(ceiling-bottom, 1e-9)
	}
	for power := bottom; power <= ceiling; power++ {
		ns := math.Pow(10, power)
		d.line(left, y(ns), width-right, y(ns), "#ddd")
		d.text(left-8, y(ns)+4, "end", "normal", c.all[0].show(ns))
	}
	for _, n := range numbers {
		d.line(x(n), top, x(n), plotHeight-low, "#eee")
		d.text(x(n), plotHeight-low+18, "middle", "normal", thousands(max(n, 1)))
	}
	names := c.names()
	for i, name := range names {
		color, weight := c.color(name), "normal"
		if name == ours {
			weight = "bold"
		}
		var points []string
		for _, n := range numbers {
			r := c.find(name, n)
			if r == nil {
				continue
			}
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(n), y(r.median())))
			d.line(x(n), y(r.lowest()), x(n), y(r.highest()), color)
			fmt.Fprintf(d, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x(n), y(r.median()), color)
		}
		fmt.Fprintf(d, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), color)
		at := float64(top + rowHeight*i)
		d.line(width-right+16, at, width-right+36, at, color)
		d.text(width-right+42, at+4, "start", weight, name)
	}
	return d.end()
}

// bars has a bar for each contender, the fastest first, and a line for the spread.
func (c comparison) bars() string {
	names := c.names()
	d := newDrawing(top+rowHeight*len(names)+16, c.title())
	largest := 0.0
	for _, r := range c.all {
		largest = max(largest, r.highest())
	}
	const begin, end = 180, width - 110
	x := func(ns float64) float64 { return begin + (end-begin)*ns/largest }
	for i, name := range names {
		r := c.find(name, c.all[0].sessions)
		y, weight := float64(top+rowHeight*i), "normal"
		if name == ours {
			weight = "bold"
		}
		d.text(begin-8, y+14, "end", weight, name)
		fmt.Fprintf(d, `<rect x="%d" y="%.1f" width="%.1f" height="14" fill="%s"/>`+"\n", begin, y+3, max(x(r.median())-begin, 1), c.color(name))
		d.line(x(r.lowest()), y+10, x(r.highest()), y+10, "#000")
		d.text(x(r.highest())+6, y+14, "start", weight, r.show(r.median()))
	}
	return d.end()
}

// color returns the color of a contender.
func (c comparison) color(name string) string {
	if name == ours {
		return palette[0]
	}
	i := 0
	for _, other := range c.names() {
		if other == ours {
			continue
		}
		if i++; other == name {
			break
		}
	}
	return palette[1+(i-1)%(len(palette)-1)]
}
