/**
 * What the hub remembers of the policy it ran with: texts that people were told by, and the role of each
 * destination. Neither changes without a trace: a published text not at all, a role with a written reason.
 */
import { noticeHash, textHash } from '../../consent/notices.ts'
import type { Config } from '../../schemas/config.ts'
import { ConfigError } from '../kit/errors.ts'
import { hubEntry } from '../ledger/hub-entry.ts'
import type { StateStore } from '../stores/open.ts'

/**
 * Compares with what ran before and writes ledger entries for what is new. Called at every start.
 * @throws ConfigError when a published text was changed, or a role without roleChange (LGPD art. 7 §5).
 */
export async function publishPolicy(
  { notices, destinations }: Pick<Config, 'notices' | 'destinations'>,
  state: StateStore,
  now: number,
): Promise<void> {
  await state.transaction(async (trx) => {
    for (const [id, versions] of Object.entries(notices ?? {})) {
      const known = new Map(
        (await trx.selectFrom('notices').select(['version', 'hash']).where('id', '=', id).execute()).map((row) => [
          row.version,
          row.hash,
        ]),
      )
      for (const notice of versions) {
        const hash = noticeHash(notice)
        const published = known.get(notice.version)
        if (published === hash) continue
        if (published !== undefined)
          throw new ConfigError(
            `notice ${id} version ${notice.version} was published and now reads differently: people agreed to the text as it was. Put the old text back and write a new version`,
            `/notices/${id}`,
          )
        const material = notice.materialChange ?? []
        const sha256 = textHash(notice.text)
        const entryId = await hubEntry(trx, {
          type: 'notice.published',
          at: now,
          source: 'hub/configuration',
          facts: {
            notice: { id, version: notice.version },
            since: notice.since,
            language: notice.language ?? 'pt-BR',
            text_sha256: sha256,
            material,
            ...(notice.purposes && { purposes: notice.purposes }),
          },
        })
        await trx
          .insertInto('notices')
          .values({
            id,
            version: notice.version,
            since: notice.since,
            language: notice.language ?? 'pt-BR',
            hash,
            text_sha256: sha256,
            text: notice.text,
            purposes: notice.purposes ? JSON.stringify(notice.purposes) : null,
            material: JSON.stringify(material),
            published_at: now,
            entry_id: entryId,
          })
          .execute()
      }
    }

    for (const [destination, { role = 'operator', roleChange }] of Object.entries(destinations ?? {})) {
      const before = await trx
        .selectFrom('destination_roles')
        .select('role')
        .where('destination', '=', destination)
        .executeTakeFirst()
      if (before?.role === role) continue
      if (!before) {
        await trx
          .insertInto('destination_roles')
          .values({ destination, role, reason: null, changed_at: now, entry_id: null })
          .execute()
        continue
      }
      if (roleChange?.from !== before.role)
        throw new ConfigError(
          `destination ${destination} was ${before.role} and is now ${role}: that changes which consent its data need (LGPD art. 7 §5). Write destinations.${destination}.roleChange: {from: ${before.role}, reason, by, at}`,
          `/destinations/${destination}/role`,
        )
      const entryId = await hubEntry(trx, {
        type: 'destination.role',
        at: now,
        actor: 'agent',
        source: 'hub/configuration',
        facts: { destination, from: before.role, to: role, reason: roleChange.reason, decided_at: roleChange.at },
      })
      await trx
        .updateTable('destination_roles')
        .set({ role, reason: roleChange.reason, changed_at: now, entry_id: entryId })
        .where('destination', '=', destination)
        .execute()
    }
  })
}
