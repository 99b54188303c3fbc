package server

import "net/http"

// health answers a probe: GET and HEAD only, whoever asks, never an idea of the keys inside.
func (s *Server) health(w *answerWriter, r *http.Request, probe http.HandlerFunc) {
	r.Pattern = r.URL.Path // one of three constants: route has compared it
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		writeProblem(w, http.StatusMethodNotAllowed, codeInvalidRequest, "health is read with GET")
		return
	}
	probe(w, r)
}

// alive says that the process answers, whatever else is wrong: a supervisor restarts on it.
func (s *Server) alive(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, "application/json", http.StatusOK, struct {
		Alive bool `json:"alive"`
	}{true})
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons"`
}

// ready says whether the server should get traffic, and if not why: a balancer routes on it.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	reasons := []string{}
	if s.root.Load() == nil {
		reasons = append(reasons, codeLocked)
	}
	if s.stopping.Load() {
		reasons = append(reasons, "stopping")
	}
	reasons = append(reasons, s.cfg.Readiness()...)
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
	}
	writeJSON(w, "application/json", status, readiness{len(reasons) == 0, reasons})
}
