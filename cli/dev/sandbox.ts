/** The connector's stand-in vendor, for as long as the tester runs. */
import { type RunningSandboxes, serveSandboxes } from '../../core/testing/sandbox.ts'
import type { AnySandbox } from '../registry.ts'

export interface DevSandbox {
  readonly serving: RunningSandboxes
  /** Settings it takes. */
  readonly settings: Readonly<Record<string, unknown>>
  close(): Promise<void>
}

export async function startSandbox(sandbox: AnySandbox): Promise<DevSandbox> {
  const serving = await serveSandboxes([sandbox])
  return { serving, settings: sandbox.settings(serving.baseUrl(sandbox.connector)), close: serving.close }
}
