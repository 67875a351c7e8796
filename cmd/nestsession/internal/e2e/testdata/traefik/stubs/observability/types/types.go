package types

import (
	"context"
	"io"

	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

type TracingVerbosity string

const (
	MinimalVerbosity  TracingVerbosity = "minimal"
	DetailedVerbosity TracingVerbosity = "detailed"
)

func (v TracingVerbosity) Allows(o TracingVerbosity) bool {
	return v == DetailedVerbosity || o == MinimalVerbosity
}

type OTelTracing struct{}

func (*OTelTracing) Setup(context.Context, string, float64, map[string]string) (trace.Tracer, io.Closer, error) {
	return noop.Tracer{}, io.NopCloser(nil), nil
}
