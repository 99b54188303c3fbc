package lifecycle

// Right is what a state answers to a use.
type Right uint8

// The rights. The zero Right refuses.
const (
	No        Right = iota
	Yes             // allowed
	WhenNamed       // allowed when the caller named this version
	Untrusted       // answered, and the answer is: not valid, because compromised
	YesUnlessCompromised
)

// States is a set of states.
type States uint8

// Statuses is a set of statuses.
type Statuses uint8

// Of returns the set of the states given.
func Of(list ...State) States {
	var s States
	for _, x := range list {
		s |= 1 << x
	}
	return s
}

// Has tells whether x is in the set.
func (s States) Has(x State) bool { return x.Valid() && s&(1<<x) != 0 }

func statusSet(list ...Status) Statuses {
	var s Statuses
	for _, x := range list {
		s |= 1 << x
	}
	return s
}

// Has tells whether x is in the set.
func (s Statuses) Has(x Status) bool { return x >= Enabled && x <= Gone && s&(1<<x) != 0 }

// Row is one state: what a version in it may be used for, and where it leads.
type Row struct {
	State State
	Uses  [uses + 1]Right // by Use
	// Next holds the states a version can go to by itself.
	Next States
	// WithKey holds those it goes to only when the whole key does.
	WithKey States
	// Reason is what a refusal in this state says.
	Reason Reason
}

// Operation is a transition someone asks for, or time brings.
type Operation uint8

// The operations. The zero Operation is none of them.
const (
	OpRotate Operation = 1 + iota
	OpAddPending
	OpActivate
	OpDeprecate
	OpCompromiseVersion
	OpCompromiseKey
	OpDisable
	OpEnable
	OpScheduleKeyDeletion
	OpCancelKeyDeletion
	OpScheduleVersionDeletion
	OpCancelVersionDeletion
	OpRestoreVersion
	OpSetPolicy
	OpResume
	OpDestroyKey
	OpDestroyVersion
	OpImportAgain
	OpEraseMaterial

	operations = int(OpEraseMaterial)
)

// Move is one operation: the key's statuses it is allowed in, and the states of the version it is
// about. From is empty when it is about the key alone; To is 0 when the state does not change.
type Move struct {
	Operation Operation
	Name      string
	Key       Statuses
	From      States
	To        State
	Note      string
}

// Rules is the whole table.
type Rules struct {
	Rows [states + 1]Row // by State; [0] is empty
	// WithoutMaterial is what remains of the rights while imported material is missing.
	WithoutMaterial [uses + 1]Right      // by Use
	Moves           [operations + 1]Move // by Operation; [0] is empty
}

// Table returns the table. It is the one the package executes: documentation prints it
// ([Rules.Markdown]), tests walk it.
func Table() Rules { return table }

var (
	anyUsable = statusSet(Enabled, Disabled)
	anyAlive  = statusSet(Enabled, Disabled, PendingDeletion)
	deletable = Of(Pending, Expired, Compromised)
	// renewable is the states in which imported material can go and come back: compromised is none.
	renewable = Of(Active, Rotating, Deprecated, Expired)
)

// table is constant: nothing writes it.
var table = Rules{
	Rows: [states + 1]Row{
		Pending: {
			State:  Pending,
			Next:   Of(Active, Compromised, Destroyed),
			Reason: ReasonPending,
		},
		Active: {
			State:   Active,
			Uses:    [...]Right{Protect: Yes, Process: Yes, VerifySignature: Yes},
			Next:    Of(Rotating, Deprecated, Compromised),
			WithKey: Of(Destroyed),
		},
		Rotating: {
			State:   Rotating,
			Uses:    [...]Right{Protect: WhenNamed, Process: Yes, VerifySignature: Yes},
			Next:    Of(Deprecated, Compromised),
			WithKey: Of(Destroyed),
			Reason:  ReasonNotPrimary,
		},
		Deprecated: {
			State:   Deprecated,
			Uses:    [...]Right{Process: Yes, VerifySignature: Yes},
			Next:    Of(Expired, Compromised),
			WithKey: Of(Destroyed),
			Reason:  ReasonDeprecated,
		},
		Expired: {
			State:  Expired,
			Uses:   [...]Right{VerifySignature: Yes},
			Next:   Of(Deprecated, Compromised, Destroyed),
			Reason: ReasonExpired,
		},
		Compromised: {
			State:  Compromised,
			Uses:   [...]Right{VerifySignature: Untrusted},
			Next:   Of(Destroyed),
			Reason: ReasonCompromised,
		},
		Destroyed: {
			State:  Destroyed,
			Uses:   [...]Right{VerifySignature: YesUnlessCompromised},
			Reason: ReasonDestroyed,
		},
	},
	WithoutMaterial: [...]Right{VerifySignature: Yes},
	Moves: [operations + 1]Move{
		OpRotate: {OpRotate, "rotate", statusSet(Enabled), Of(Active), Rotating,
			"a new version becomes the primary; the old one is deprecated at once when the grace period is 0; not where material is imported"},
		OpAddPending: {OpAddPending, "add a pending version", anyUsable, 0, 0, "for material that comes later"},
		OpActivate: {OpActivate, "activate", statusSet(Enabled), Of(Pending), Active,
			"it becomes the primary, as by rotation"},
		OpDeprecate: {OpDeprecate, "deprecate", anyAlive, Of(Rotating), Deprecated, "never the primary"},
		OpCompromiseVersion: {OpCompromiseVersion, "mark a version compromised", anyAlive,
			Of(Pending, Active, Rotating, Deprecated, Expired), Compromised,
			"of the primary: a new primary in the same commit, unless told not to"},
		OpCompromiseKey: {OpCompromiseKey, "mark the key compromised", anyAlive, 0, 0,
			"every version; no primary until rotated"},
		OpDisable:             {OpDisable, "disable", anyUsable, 0, 0, "for good or until a time; never shortened"},
		OpEnable:              {OpEnable, "enable", anyUsable, 0, 0, "ends a suspension"},
		OpResume:              {OpResume, "resume", statusSet(Disabled), 0, 0, "at the end of a suspension for a time, before the first use after it"},
		OpScheduleKeyDeletion: {OpScheduleKeyDeletion, "schedule deletion of the key", anyUsable, 0, 0, "in 7 to 30 days"},
		OpCancelKeyDeletion: {OpCancelKeyDeletion, "cancel deletion of the key", statusSet(PendingDeletion), 0, 0,
			"before its deletion date; the key is disabled afterwards"},
		OpScheduleVersionDeletion: {OpScheduleVersionDeletion, "schedule deletion of a version", anyUsable, deletable, 0,
			"in 7 to 30 days"},
		OpCancelVersionDeletion: {OpCancelVersionDeletion, "cancel deletion of a version", anyUsable, deletable, 0,
			"before its deletion date"},
		OpRestoreVersion: {OpRestoreVersion, "restore", anyUsable, Of(Expired), Deprecated,
			"before its deletion date; its lifetime no longer ends"},
		OpSetPolicy:  {OpSetPolicy, "set the policy", anyUsable, 0, 0, "the primary's cryptoperiod follows"},
		OpDestroyKey: {OpDestroyKey, "destroy the key", statusSet(PendingDeletion), 0, 0, "at its deletion date"},
		OpDestroyVersion: {OpDestroyVersion, "destroy a version", statusSet(Enabled, Disabled, PendingDeletion, Gone),
			deletable, Destroyed, "at its deletion date; with the key, from any state"},
		OpImportAgain: {OpImportAgain, "import the same material again", anyUsable, renewable, 0,
			"after it ended or was erased, or to give it another end"},
		OpEraseMaterial: {OpEraseMaterial, "erase imported material", anyAlive, renewable, 0, "at its end, or before"},
	},
}
