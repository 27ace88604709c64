/** Types of verify.mjs, for the hub's own use of it; the file itself stays plain JavaScript, to be read by auditors. */
export interface OfflineKey {
  readonly name: string
  readonly id: string
  readonly publicKey: Uint8Array
  readonly fingerprint: string
}

export interface PackReport {
  readonly ok: boolean
  readonly origin: string
  readonly size: number
  readonly root: string
  readonly signedBy: readonly { readonly name: string; readonly id: string; readonly fingerprint: string }[]
  readonly keysFrom: 'outside' | 'pack'
  readonly disclosed: number
  readonly checkpoints: number
  readonly subjects: readonly {
    readonly subject: string
    readonly says: 'last' | 'absent'
    readonly asOf: string
    readonly entries: number
    readonly state: Readonly<Record<string, readonly [status: string, seq: number]>> | null
  }[]
  readonly payloads: { readonly fit: number; readonly destroyed: number }
  readonly deliveries: { readonly roots: number; readonly disclosed: number }
  readonly findings: readonly { readonly code: string; readonly what: string }[]
}

export class Failed extends Error {
  readonly code: string
}
export function canonical(value: unknown): string
export function readVerifierKey(text: string): Promise<OfflineKey>
export function openCheckpoint(
  note: string,
  keys: readonly OfflineKey[],
): Promise<{ origin: string; size: number; root: Uint8Array; signedBy: OfflineKey[] }>
export function verifyInclusion(
  index: number,
  size: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): Promise<boolean>
export function verifyConsistency(
  first: number,
  second: number,
  proof: readonly Uint8Array[],
  firstRoot: Uint8Array,
  secondRoot: Uint8Array,
): Promise<boolean>
export function verifyReceipt(
  text: string,
  keys: readonly OfflineKey[],
): Promise<{ entry: Record<string, unknown>; payload: unknown; holdsPayload: boolean }>
export function verifyPack(
  files: { read(name: string): Promise<string | undefined> },
  keys?: readonly OfflineKey[],
): Promise<PackReport>
