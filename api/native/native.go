// Package native is Haven's own API over HTTP: POST /v1/<operation> with one JSON object, each
// route a row of the gate's table, described by OpenAPI at /v1/openapi.json.
//
// It guarantees that a request is authenticated before its body is read, or, where the body is what
// is signed, before anything is made of it; that what is decoded is
// exactly what was sent: no name twice or in another case, no invalid UTF-8, nothing unknown, nothing
// after it; that every answer carries the id of its record; and that no byte of an answer leaves
// before that record is durable. It never authorizes, never writes a record itself, and never puts
// a value that was sent into an error.
package native

import (
	"cmp"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/haven-health/haven/audit"
	"github.com/haven-health/haven/gate"
	"github.com/haven-health/haven/identity"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/rotation"
	"github.com/haven-health/haven/vault"
)

// Config is what the API stands on. Gate, Keys, Audit, Identity, Rotation and Vault are required.
type Config struct {
	Gate *gate.Gate
	Keys *keys.Manager
	// Audit shows the records.
	Audit *audit.Reader
	// Identity manages who may call, and what they may.
	Identity *identity.Manager
	// Rotation finds what is due, and does it.
	Rotation *rotation.Scheduler
	// Vault keeps stored keys.
	Vault *vault.Manager
	// Allow tells whether a principal may call now, and if not after how long; nil: always.
	Allow func(principal string) (retryAfter time.Duration, ok bool)
	// Version is the release as OpenAPI tells it.
	Version string
}

// Header names.
const (
	requestIDHeader   = "Haven-Request-Id"
	idempotencyHeader = "Idempotency-Key"
)

// handler serves the API.
type handler struct {
	cfg     Config
	routes  map[string]*route
	openAPI []byte
	// unproven is how many bytes of bodies wait for their signature to be verified.
	unproven atomic.Int64
}

// New returns the API's handler: /v1/… and nothing else.
func New(cfg Config) http.Handler {
	h := &handler{cfg: cfg, routes: map[string]*route{}}
	for _, r := range routes() {
		h.routes[r.op.Name] = r
	}
	h.openAPI = describe(cfg.Version)
	return h
}

// exchange is one request on its way.
type exchange struct {
	h    *handler
	w    http.ResponseWriter
	r    *http.Request
	call *gate.Call
	body []byte
	// charged is what the body counts against unproven.
	charged int64
}

// ServeHTTP implements http.Handler.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutPrefix(r.URL.Path, "/v1/")
	if ok && name == "openapi.json" && r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "application/json")
		w.Write(h.openAPI)
		return
	}
	route := h.routes[name]
	if !ok || route == nil {
		problem(w, "", gate.Errorf(gate.NotFound, "no such operation; /v1/openapi.json lists them"))
		return
	}
	if r.Method != http.MethodPost && !(r.Method == http.MethodGet && route.op.Reads) {
		w.Header().Set("Allow", route.methods())
		problemStatus(w, "", http.StatusMethodNotAllowed, gate.Errorf(gate.InvalidRequest, "use %s for %s", route.methods(), route.op.Name))
		return
	}
	r.Pattern = r.URL.Path // for the access log: one of the table's, nothing that was sent
	x := &exchange{h: h, w: w, r: r}
	x.serve(route)
}

func (x *exchange) serve(route *route) {
	p := proof(x.r)
	unread := x.before(route.op, &p)
	defer x.free()
	call, err := x.h.cfg.Gate.Begin(x.r.Context(), route.op, p)
	x.call = call
	x.w.Header().Set(requestIDHeader, call.Request().String())
	x.w.Header()["Cache-Control"] = noStore // answers hold plaintexts, and refusals must not be remembered
	x.free()                                // what it waits for from here on is its principal's to answer for
	if err != nil {
		x.fail(cmp.Or(unread, err))
		return
	}
	if x.h.cfg.Allow != nil {
		if after, ok := x.h.cfg.Allow(call.Principal().ID.String()); !ok {
			x.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
			x.fail(x.h.cfg.Gate.Limit(call))
			return
		}
	}
	if err := x.read(route.op, p.Signed); err != nil {
		x.fail(x.h.cfg.Gate.Refuse(x.r.Context(), call, err))
		return
	}
	answer, err := route.serve(x)
	if err != nil {
		x.fail(err)
		return
	}
	header := x.w.Header()
	header["Content-Type"] = jsonType
	// Told, so that an answer of any length leaves in one write: without it net/http chunks what
	// is over 2 KiB.
	header["Content-Length"] = []string{strconv.Itoa(len(answer))}
	x.w.Write(answer)
}

// Values of headers, made once; nobody changes them.
var (
	jsonType = []string{"application/json"}
	noStore  = []string{"no-store"}
)

// refuse records that a request could not be understood.
func (x *exchange) refuse(err error) error {
	return x.h.cfg.Gate.Refuse(x.r.Context(), x.call, err)
}

func (x *exchange) fail(err error) { problem(x.w, x.call.Request().String(), err) }

// problem answers an error as RFC 9457 problem details.
func problem(w http.ResponseWriter, requestID string, err error) {
	var e *gate.Error
	if !errors.As(err, &e) {
		e = gate.Errorf(gate.Internal, "Haven failed; the request id leads to the reason in its log")
	}
	problemStatus(w, requestID, statusOf(e.Code), e)
}
