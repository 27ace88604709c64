/** Every connector, by id. Written by build/registry.ts from the folders here; edits are lost. */
import type { AnyDestination, AnySource, Registry } from '../core/kit/define.ts'

const sources: readonly AnySource[] = [
]

const destinations: readonly AnyDestination[] = [
]

export const registry: Registry = {
  sources: new Map(sources.map((source) => [source.id, source])),
  destinations: new Map(destinations.map((destination) => [destination.id, destination])),
}

/** Stand-ins for the vendors, for the demo and the contract tests, by connector id. */
export const sandboxes = {
} as const
