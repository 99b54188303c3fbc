// Package fault marks the places where a crash or a defect is planted under test.
//
// In ordinary builds both functions are empty and cost nothing. With the build tag "faults" a
// [Point] named by HAVEN_FAULT_POINT kills the process there, and a [Mutant] named by
// HAVEN_MUTANT turns on the defect that a test must then catch. A release is never built with
// the tag; cmd/haven refuses to serve with it unless the two variables' owner, a test, runs it.
package fault
