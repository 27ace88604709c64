/** Every connector there is, and the form that makes its part of the configuration. */
import { Button, Checkbox, CopyButton, Drawer, NativeSelect, PasswordInput, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Catalog, CatalogChecked, CatalogEntry } from '../../../schemas/catalog.ts'
import { useAddress, useChangeAddress } from '../address.ts'
import { get, post } from '../api.ts'
import { connectorYaml, type SettingSchema, secretName, typedSettings } from '../connector-yaml.ts'
import { useFields } from '../fields.ts'
import { Badge } from '../parts/exit-badge.tsx'
import { FilterBar, FilterSelect } from '../parts/filters.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Failure, Loading } from '../parts/states.tsx'
import { useMay } from '../session.ts'
import { Guard } from '../shell.tsx'
import { told } from '../words.ts'

export function CatalogPage() {
  return (
    <Guard permission="connectors.read">
      <Cards />
    </Guard>
  )
}

const keyOf = ({ direction, id }: CatalogEntry) => `${direction}.${id}`

function Cards() {
  const { t } = useTranslation()
  const change = useChangeAddress()
  const { item, type } = useAddress()
  const [search, setSearch] = useState('')
  const catalog = useQuery({ queryKey: ['catalog'], queryFn: () => get<Catalog>('/api/catalog') })
  const found = (catalog.data?.items ?? []).filter(
    (one) =>
      (type === undefined || one.direction === type) &&
      `${one.name} ${one.id}`.toLowerCase().includes(search.trim().toLowerCase()),
  )
  const chosen = catalog.data?.items.find((one) => keyOf(one) === item)
  return (
    <Page title={t('catalog.title')} about={t('catalog.about')}>
      <FilterBar clear={undefined}>
        <TextInput
          label={t('catalog.search')}
          type="search"
          size="xs"
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
        />
        <FilterSelect
          label={t('catalog.kind')}
          all={t('catalog.all')}
          value={type}
          options={(['source', 'destination'] as const).map((value) => ({ value, label: t(`catalog.${value}`) }))}
          onChange={(value) => change({ type: value })}
        />
      </FilterBar>
      {catalog.error ? (
        <Failure error={catalog.error} retry={() => void catalog.refetch()} />
      ) : !catalog.data ? (
        <Loading />
      ) : found.length === 0 ? (
        <div className="card">
          <Empty title={t('catalog.none')} text={t('catalog.noneText')} />
        </div>
      ) : (
        <div className="connectors">
          {found.map((one) => (
            <Card key={keyOf(one)} entry={one} choose={() => change({ item: keyOf(one) })} />
          ))}
        </div>
      )}
      <Drawer
        opened={chosen !== undefined}
        onClose={() => change({ item: undefined })}
        position="right"
        size="lg"
        title={<strong>{chosen?.name}</strong>}
        closeButtonProps={{ 'aria-label': t('app.close') }}
      >
        {chosen && <SetUp key={keyOf(chosen)} entry={chosen} />}
      </Drawer>
    </Page>
  )
}

function Card({ entry, choose }: { entry: CatalogEntry; choose: () => void }) {
  const { t } = useTranslation()
  return (
    <article className="card connector">
      <h2 className="section-title" style={{ margin: 0 }}>
        {entry.name}
      </h2>
      <div className="acts" style={{ justifyContent: 'start' }}>
        <Badge tone="rule">{t(`catalog.${entry.direction}`)}</Badge>
        <Badge tone={entry.support === 'certified' ? 'delivered' : 'rule'}>
          {t(`catalog.support.${entry.support}`)}
        </Badge>
      </div>
      <p style={{ margin: 0 }}>
        {entry.direction === 'source'
          ? t('catalog.receives')
          : entry.actions.map(({ title }) => told(title)).join(' · ')}
      </p>
      {entry.used.length > 0 && <p className="quiet">{t('catalog.inUse', { ids: entry.used.join(', ') })}</p>}
      <div>
        <Button size="compact-sm" variant="default" onClick={choose}>
          {t('catalog.choose', { name: entry.name })}
        </Button>
      </div>
    </article>
  )
}

function SetUp({ entry }: { entry: CatalogEntry }) {
  const { t } = useTranslation()
  const may = useMay()
  const schema = entry.settings as {
    readonly properties?: Readonly<Record<string, SettingSchema>>
    readonly required?: readonly string[]
  }
  const schemas = schema.properties ?? {}
  const purposes = [...new Set(entry.actions.map(({ purpose }) => purpose))].join(', ')
  const { form, field } = useFields(
    { instance: entry.id, role: 'operator', country: '', purposes, notice: 'cookies v1' },
    { mb: 'sm' },
  )
  const [settings, setSettings] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(
      Object.entries(schemas).flatMap(([name, one]) =>
        one.default === undefined
          ? []
          : [[name, typeof one.default === 'string' ? one.default : JSON.stringify(one.default)]],
      ),
    ),
  )
  const set = (name: string, value: string) => setSettings((before) => ({ ...before, [name]: value }))
  const check = useMutation({
    mutationFn: () =>
      post<CatalogChecked>('/api/catalog/check', { connector: entry.id, settings: typedSettings(settings, schemas) }),
  })
  const yaml = connectorYaml({ ...form, direction: entry.direction, connector: entry.id, settings }, schemas)
  const secrets = Object.entries(schemas).filter(([name, one]) => one.secret && settings[name])
  return (
    <div>
      <p style={{ marginTop: 0 }}>
        <a className="link" href={entry.docs} rel="noreferrer" target="_blank">
          {entry.docs}
        </a>
      </p>
      {entry.actions.length > 0 && (
        <p>
          <strong>{t('catalog.does')}:</strong> {entry.actions.map(({ title }) => told(title)).join(' · ')}
        </p>
      )}
      {entry.direction === 'destination' && (
        <p>
          <strong>{t('catalog.feedback')}:</strong>{' '}
          {entry.feedback === null ? t('catalog.noFeedback') : told(entry.feedback)}
        </p>
      )}
      <TextInput label={t('catalog.instance')} description={t('catalog.instanceHint')} {...field('instance')} />
      {entry.direction === 'source' ? (
        <>
          <TextInput label={t('catalog.notice')} description={t('catalog.noticeHint')} {...field('notice')} />
          <p>
            {t('catalog.address')}: <span className="mono">{`${location.origin}/in/${form.instance}`}</span>
          </p>
        </>
      ) : (
        <>
          <NativeSelect
            label={t('catalog.role')}
            data={[
              { value: 'operator', label: t('connectors.operator') },
              { value: 'controller', label: t('connectors.controller') },
            ]}
            {...field('role')}
          />
          <TextInput
            label={t('catalog.country')}
            description={t('catalog.countryHint')}
            maxLength={2}
            {...field('country')}
          />
          <TextInput label={t('catalog.purposes')} description={t('catalog.purposesHint')} {...field('purposes')} />
        </>
      )}
      <h3>{t('catalog.settings')}</h3>
      {Object.entries(schemas).map(([name, one]) => (
        <Setting
          key={name}
          name={name}
          schema={one}
          required={schema.required?.includes(name) === true && one.default === undefined}
          hint={one.secret ? t('catalog.secretHint', { name: secretName(form.instance, name) }) : undefined}
          value={settings[name] ?? ''}
          onChange={(value) => set(name, value)}
        />
      ))}
      {entry.direction === 'destination' && may('connectors.write') && (
        <section className="section">
          <Button variant="default" loading={check.isPending} onClick={() => check.mutate()}>
            {t('catalog.test')}
          </Button>{' '}
          <span className="quiet">{t('catalog.testHint')}</span>
          <div role="status">
            {check.error && <Failure error={check.error} />}
            {check.data && (
              <p>
                <Badge tone={check.data.ok ? 'delivered' : 'failed'}>
                  {t(check.data.ok ? 'catalog.works' : 'catalog.fails')}
                </Badge>{' '}
                {[check.data.detail, ...check.data.warnings].join(' · ')}
              </p>
            )}
          </div>
        </section>
      )}
      {secrets.length > 0 && (
        <Snippet
          title={t('catalog.commands')}
          text={secrets.map(([name]) => `anuente secrets set ${secretName(form.instance, name)}`).join('\n')}
        />
      )}
      <Snippet title={t('catalog.yaml')} hint={t('catalog.yamlHint')} text={yaml} />
      {entry.account && <p>{t('catalog.account')}</p>}
    </div>
  )
}

function Setting({
  name,
  schema,
  required,
  hint,
  value,
  onChange,
}: {
  name: string
  schema: SettingSchema
  required: boolean
  hint: string | undefined
  value: string
  onChange: (value: string) => void
}) {
  const { t } = useTranslation()
  const label = required ? `${name} (${t('catalog.required')})` : name
  const description = [schema.description, hint].filter(Boolean).join(' ')
  const common = { label, description, mb: 'sm' as const }
  const options = (schema.enum ?? schema.anyOf?.flatMap((one) => ('const' in one ? [one.const] : [])) ?? []).map(String)
  if (schema.type === 'boolean')
    return (
      <Checkbox
        {...common}
        checked={value === 'true'}
        onChange={(event) => onChange(String(event.currentTarget.checked))}
      />
    )
  if (options.length > 0)
    return (
      <NativeSelect
        {...common}
        data={['', ...options]}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    )
  if (schema.secret)
    return (
      <PasswordInput
        {...common}
        autoComplete="new-password"
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    )
  if (schema.type === 'string' || schema.type === 'integer' || schema.type === 'number')
    return (
      <TextInput
        {...common}
        autoComplete="off"
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    )
  return (
    <Textarea
      {...common}
      description={`${description} (${t('catalog.json')})`}
      autosize
      minRows={1}
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
    />
  )
}

function Snippet({ title, hint, text }: { title: string; hint?: string; text: string }) {
  const { t } = useTranslation()
  return (
    <section className="section">
      <h3>{title}</h3>
      <pre className="code">{text}</pre>
      <CopyButton value={text}>
        {({ copied, copy }) => (
          <Button size="compact-sm" variant="default" onClick={copy}>
            {copied ? t('app.copied') : t('app.copy')}
          </Button>
        )}
      </CopyButton>
      {hint && <p className="quiet">{hint}</p>}
    </section>
  )
}
