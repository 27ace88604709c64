/** isolate: one delivery that cannot be prepared does not hold up those leased with it. */
import type { DeliverPorts, Leased } from './deliver-ports.ts'
import { faultOf, isStorageFault } from './fault.ts'
import type { MapAnswers } from './map.ts'

/**
 * Prepares all of them together; when that throws, halves find the one at fault, which becomes a dead
 * letter that names the place, and its neighbours go on.
 * @throws faults of the database: they are about none of them.
 */
export async function isolate(
  leased: readonly Leased[],
  prepare: (part: readonly Leased[]) => Promise<MapAnswers>,
  ports: Pick<DeliverPorts, 'fault'>,
): Promise<MapAnswers> {
  try {
    return await prepare(leased)
  } catch (error) {
    if (isStorageFault(error)) throw error
    if (leased.length > 1) {
      const middle = Math.ceil(leased.length / 2)
      const first = await isolate(leased.slice(0, middle), prepare, ports)
      const second = await isolate(leased.slice(middle), prepare, ports)
      return { mapped: [...first.mapped, ...second.mapped], halted: [...first.halted, ...second.halted] }
    }
    const [poison] = leased
    if (!poison) throw error
    const fault = faultOf(`deliver ${poison.row.destination}`, error)
    ports.fault(fault)
    return { mapped: [], halted: [{ leased: poison, code: 'FAULT', detail: `${fault.name} ${fault.message}`.trim() }] }
  }
}
