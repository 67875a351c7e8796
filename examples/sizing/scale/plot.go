package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// curve is a line of a plot.
type curve struct {
	name string
	of   func(x float64) float64
}

var colors = []string{"#c0392b", "#1f77b4", "#2ca02c", "#9467bd", "#8c564b", "#000000"}

// plots are the files of the folder docs/scale.
func plots() map[string]string {
	var kept, network, notices []curve
	for _, c := range []costs{natsThreeCosts, sentinelCosts, mariaCosts, redisCosts, postgresCosts, sqliteCosts, memoryCosts} {
		kept = append(kept, curve{c.name, func(x float64) float64 { return x * c.kept * c.copies }})
	}
	for _, c := range shared {
		network = append(network, curve{c.name, func(x float64) float64 {
			t := c.sum(c.inUse(typical(10, x)))
			return t.up + t.down
		}})
	}
	for _, c := range reporting {
		notices = append(notices, curve{c.name, func(x float64) float64 { return c.noticeBytes(typical(x, 1e8)) }})
	}
	hits := []curve{{"answered from memory", func(x float64) float64 { return max(100*typical(x, 1e6).hits(), 1) }}}
	return map[string]string{
		"kept.svg":          draw("Bytes kept, all servers together (computed)", "sessions", 1e6, 1e9, size, kept),
		"network.svg":       draw("Network, bytes a second, 10 nodes (computed)", "sessions", 1e6, 1e9, size, network),
		"notifications.svg": draw("Notifications, bytes a second, 100 million sessions (computed)", "nodes", 1, 100, size, notices),
		"near-cache.svg":    draw("Reads that the near cache answers, in percent (computed)", "nodes", 1, 100, short, hits),
	}
}

// draw returns a plot with two logarithmic axes.
func draw(title, axis string, first, last float64, show func(float64) string, curves []curve) string {
	const width, height, left, right, top, low = 860.0, 420.0, 80.0, 230.0, 40.0, 50.0
	smallest, largest := math.Inf(1), 0.0
	for _, c := range curves {
		for _, x := range []float64{first, last} {
			smallest, largest = min(smallest, c.of(x)), max(largest, c.of(x))
		}
	}
	bottom, ceiling := math.Floor(math.Log10(smallest)), math.Ceil(math.Log10(largest))
	x := func(n float64) float64 {
		return left + (width-left-right)*math.Log10(n/first)/math.Log10(last/first)
	}
	y := func(n float64) float64 {
		return height - low - (height-low-top)*(math.Log10(n)-bottom)/(ceiling-bottom)
	}
	var b strings.Builder
	text := func(x, y float64, anchor, text string) {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(text))
	}
	line := func(x1, y1, x2, y2 float64, color string) {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>`+"\n", x1, y1, x2, y2, color)
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" font-family="sans-serif" font-size="12">`+"\n", width, height)
	fmt.Fprintf(&b, `<title>%s</title><rect width="100%%" height="100%%" fill="#fff"/>`+"\n", html.EscapeString(title))
	text(left, 22, "start", title)
	for power := bottom; power <= ceiling; power++ {
		n := math.Pow(10, power)
		line(left, y(n), width-right, y(n), "#ddd")
		text(left-8, y(n)+4, "end", show(n))
	}
	for n := first; n <= last*1.001; n *= 10 {
		line(x(n), top, x(n), height-low, "#eee")
		text(x(n), height-low+18, "middle", short(n))
	}
	text((left+width-right)/2, height-low+36, "middle", axis)
	for i, c := range curves {
		color := colors[i%len(colors)]
		var points []string
		const steps = 40
		for s := range steps + 1 {
			n := first * math.Pow(last/first, float64(s)/steps)
			points = append(points, fmt.Sprintf("%.1f,%.1f", x(n), y(c.of(n))))
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(points, " "), color)
		legend := top + 20*float64(i)
		line(width-right+12, legend, width-right+32, legend, color)
		text(width-right+38, legend+4, "start", strings.ReplaceAll(c.name, "`", ""))
	}
	b.WriteString("</svg>\n")
	return b.String()
}
