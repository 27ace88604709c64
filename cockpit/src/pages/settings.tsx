import {
  Alert,
  Button,
  CopyButton,
  Modal,
  NativeSelect,
  PasswordInput,
  SegmentedControl,
  Switch,
  Tabs,
  TextInput,
  useMantineColorScheme,
} from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { CreatedToken, Invitation, Role, Token, Tokens, User, Users } from '../../../schemas/admin.ts'
import { useAddress, useChangeAddress } from '../address.ts'
import { ApiFailure, get, patch, post, remove } from '../api.ts'
import { date, dateTime } from '../format.ts'
import { currentLanguage, type Language, setLanguage } from '../i18n/index.ts'
import { listingOf } from '../listing.ts'
import { Confirm } from '../parts/confirm.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Page } from '../parts/page.tsx'
import { Failure } from '../parts/states.tsx'
import { useMay, useMe } from '../session.ts'
import { setShortcuts, shortcutsOn } from '../shortcuts.ts'

const ROLES: readonly Role[] = ['admin', 'marketing', 'compliance', 'auditor', 'integrator', 'viewer']

export function SettingsPage() {
  const { t } = useTranslation()
  const may = useMay()
  const { tab } = useAddress()
  const change = useChangeAddress()
  const manages = may('accounts.manage')
  return (
    <Page title={t('settings.title')}>
      <Tabs
        value={manages ? (tab ?? 'account') : 'account'}
        onChange={(value) => change({ tab: value === 'users' || value === 'tokens' ? value : undefined })}
        keepMounted={false}
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="account">{t('settings.account')}</Tabs.Tab>
          {manages && <Tabs.Tab value="users">{t('settings.users')}</Tabs.Tab>}
          {manages && <Tabs.Tab value="tokens">{t('settings.tokens')}</Tabs.Tab>}
        </Tabs.List>
        <Tabs.Panel value="account">
          <Account />
        </Tabs.Panel>
        {manages && (
          <Tabs.Panel value="users">
            <People />
          </Tabs.Panel>
        )}
        {manages && (
          <Tabs.Panel value="tokens">
            <ApiTokens />
          </Tabs.Panel>
        )}
      </Tabs>
    </Page>
  )
}

function Account() {
  const { t } = useTranslation()
  const me = useMe()
  const { colorScheme, setColorScheme } = useMantineColorScheme()
  const [keys, setKeys] = useState(shortcutsOn())
  const [form, setForm] = useState({ current: '', next: '' })
  const change = useMutation({
    mutationFn: () => post('/api/me/password', form),
    onSuccess: () => setForm({ current: '', next: '' }),
  })
  const wrong = change.error instanceof ApiFailure && change.error.path === '/current'
  const submit = (event: FormEvent) => {
    event.preventDefault()
    change.mutate()
  }
  return (
    <div className="grid-2">
      <section className="card">
        <div className="card-head">
          <h2>{t('settings.appearance')}</h2>
        </div>
        <p style={{ marginTop: 0 }}>
          {t('settings.signedIn', { name: me.user.name, email: me.user.email ?? '', role: t(`role.${me.role}`) })}
        </p>
        <fieldset style={{ border: 0, padding: 0, margin: '0 0 1rem' }}>
          <legend style={{ fontWeight: 550, marginBottom: '0.25rem' }}>{t('language.label')}</legend>
          <SegmentedControl
            aria-label={t('language.label')}
            value={currentLanguage()}
            onChange={(value) => setLanguage(value as Language)}
            data={[
              { value: 'pt-BR', label: t('language.pt-BR') },
              { value: 'en', label: t('language.en') },
            ]}
          />
        </fieldset>
        <fieldset style={{ border: 0, padding: 0, margin: '0 0 1rem' }}>
          <legend style={{ fontWeight: 550, marginBottom: '0.25rem' }}>{t('theme.label')}</legend>
          <SegmentedControl
            aria-label={t('theme.label')}
            value={colorScheme}
            onChange={(value) => setColorScheme(value as 'light' | 'dark' | 'auto')}
            data={(['light', 'dark', 'auto'] as const).map((value) => ({ value, label: t(`theme.${value}`) }))}
          />
        </fieldset>
        <Switch
          label={t('settings.shortcutsOn')}
          description={t('settings.shortcutsHint')}
          checked={keys}
          onChange={(event) => {
            setShortcuts(event.currentTarget.checked)
            setKeys(event.currentTarget.checked)
          }}
        />
      </section>
      <section className="card">
        <div className="card-head">
          <h2>{t('settings.password')}</h2>
        </div>
        <form onSubmit={submit}>
          <div role="status">
            {change.isSuccess && (
              <Alert variant="outline" mb="sm">
                {t('settings.passwordChanged')}
              </Alert>
            )}
          </div>
          {change.error && !wrong && <Failure error={change.error} />}
          {/* Password managers need to know whose password this is. */}
          <input type="text" autoComplete="username" value={me.user.email ?? ''} readOnly hidden />
          <PasswordInput
            label={t('settings.current')}
            autoComplete="current-password"
            required
            withAsterisk={false}
            mb="sm"
            value={form.current}
            error={wrong ? t('settings.currentWrong') : undefined}
            onChange={(event) => {
              const { value } = event.currentTarget
              setForm((before) => ({ ...before, current: value }))
            }}
          />
          <PasswordInput
            label={t('settings.next')}
            description={t('setup.passwordHint')}
            autoComplete="new-password"
            required
            withAsterisk={false}
            minLength={12}
            maxLength={256}
            mb="md"
            value={form.next}
            onChange={(event) => {
              const { value } = event.currentTarget
              setForm((before) => ({ ...before, next: value }))
            }}
          />
          <Button type="submit" loading={change.isPending}>
            {t('settings.changePassword')}
          </Button>
        </form>
      </section>
    </div>
  )
}

function RoleChoice({ value, onChange, label }: { value: Role; onChange: (role: Role) => void; label: string }) {
  const { t } = useTranslation()
  return (
    <NativeSelect
      label={label}
      description={t(`roleHint.${value}`)}
      value={value}
      data={ROLES.map((role) => ({ value: role, label: t(`role.${role}`) }))}
      onChange={(event) => onChange(event.currentTarget.value as Role)}
      mb="md"
    />
  )
}

/** A value that is shown this once, with a button to copy it. */
function Once({ label, value, note }: { label: string; value: string; note?: string }) {
  const { t } = useTranslation()
  return (
    <>
      <TextInput
        label={label}
        value={value}
        readOnly
        onFocus={(event) => event.currentTarget.select()}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
        {...(note ? { description: note } : {})}
      />
      <CopyButton value={value}>
        {({ copied, copy }) => (
          <Button
            mt="sm"
            variant="default"
            leftSection={copied ? <IconCheck size={16} aria-hidden /> : <IconCopy size={16} aria-hidden />}
            onClick={copy}
          >
            {t(copied ? 'app.copied' : 'app.copy')}
          </Button>
        )}
      </CopyButton>
    </>
  )
}

function People() {
  const { t } = useTranslation()
  const me = useMe()
  const queries = useQueryClient()
  const users = useQuery({ queryKey: ['users'], queryFn: () => get<Users>('/api/users') })
  const [inviting, inviteModal] = useDisclosure()
  const [disabling, setDisabling] = useState<User>()
  const change = useMutation({
    mutationFn: ({ id, ...body }: { id: string; role?: Role; disabled?: boolean }) =>
      patch<User>(`/api/users/${encodeURIComponent(id)}`, body),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ['users'] })
      void queries.invalidateQueries({ queryKey: ['me'] })
    },
  })
  const columns: readonly Column<User>[] = [
    {
      id: 'name',
      title: t('settings.name'),
      place: 'main',
      cell: (user) => (
        <span>
          {user.name} {user.id === me.user.id && <span className="quiet">({t('settings.you')})</span>}
        </span>
      ),
    },
    { id: 'email', title: t('settings.email'), cell: ({ email }) => email },
    {
      id: 'role',
      title: t('settings.role'),
      cell: (user) => (
        <NativeSelect
          size="xs"
          aria-label={t('settings.roleOf', { name: user.name })}
          value={user.role}
          data={ROLES.map((role) => ({ value: role, label: t(`role.${role}`) }))}
          onChange={(event) => change.mutate({ id: user.id, role: event.currentTarget.value as Role })}
        />
      ),
    },
    { id: 'since', title: t('settings.since'), cell: ({ createdAt }) => date(createdAt) },
    {
      id: 'state',
      title: t('settings.state'),
      place: 'state',
      cell: ({ disabledAt }) => t(disabledAt === null ? 'settings.active' : 'settings.disabled'),
    },
    {
      id: 'acts',
      title: t('quarantine.acts'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: (user) =>
        user.disabledAt !== null ? (
          <Button
            size="compact-sm"
            variant="default"
            aria-label={t('settings.enableOf', { name: user.name })}
            onClick={() => change.mutate({ id: user.id, disabled: false })}
          >
            {t('settings.enable')}
          </Button>
        ) : (
          user.id !== me.user.id && (
            <Button
              size="compact-sm"
              variant="default"
              aria-label={t('settings.disableOf', { name: user.name })}
              onClick={() => setDisabling(user)}
            >
              {t('settings.disable')}
            </Button>
          )
        ),
    },
  ]
  return (
    <div className="stack">
      <div>
        <Button onClick={inviteModal.open}>{t('settings.invite')}</Button>
      </div>
      {change.error && <Failure error={change.error} />}
      <DataTable
        listing={listingOf(users)}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('settings.users')}
        empty={{ title: t('settings.noUsers'), text: t('settings.noUsersText') }}
      />
      <Invite opened={inviting} onClose={inviteModal.close} />
      <Confirm
        opened={disabling !== undefined}
        onClose={() => setDisabling(undefined)}
        title={t('settings.disableTitle', { name: disabling?.name ?? '' })}
        text={t('settings.disableText')}
        act={t('settings.disable')}
        go={() => disabling && change.mutate({ id: disabling.id, disabled: true })}
      />
    </div>
  )
}

function Invite({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation()
  const [role, setRole] = useState<Role>('marketing')
  const make = useMutation({ mutationFn: () => post<Invitation>('/api/invitations', { role }) })
  const close = () => {
    make.reset()
    onClose()
  }
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={<strong>{t('settings.invite')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      <p style={{ marginTop: 0 }}>{t('settings.inviteText')}</p>
      {make.data ? (
        <Once
          label={t('settings.inviteLink')}
          value={make.data.url}
          note={`${t(`role.${make.data.role}`)} · ${t('why.expires')}: ${dateTime(make.data.expiresAt)}`}
        />
      ) : (
        <>
          <RoleChoice value={role} onChange={setRole} label={t('settings.role')} />
          {make.error && <Failure error={make.error} />}
          <Button onClick={() => make.mutate()} loading={make.isPending}>
            {t('settings.inviteMake')}
          </Button>
        </>
      )}
    </Modal>
  )
}

function ApiTokens() {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const tokens = useQuery({ queryKey: ['tokens'], queryFn: () => get<Tokens>('/api/tokens') })
  const [making, makeModal] = useDisclosure()
  const [revoking, setRevoking] = useState<Token>()
  const revoke = useMutation({
    mutationFn: (id: string) => remove(`/api/tokens/${encodeURIComponent(id)}`),
    onSettled: () => void queries.invalidateQueries({ queryKey: ['tokens'] }),
  })
  const now = Date.now()
  const columns: readonly Column<Token>[] = [
    { id: 'name', title: t('settings.tokenName'), place: 'main', cell: ({ name }) => name },
    { id: 'role', title: t('settings.role'), place: 'state', cell: ({ role }) => t(`role.${role}`) },
    { id: 'since', title: t('settings.since'), cell: ({ createdAt }) => date(createdAt) },
    {
      id: 'expires',
      title: t('settings.tokenExpires'),
      cell: ({ expiresAt }) =>
        expiresAt === null ? t('settings.tokenNever') : expiresAt < now ? t('settings.tokenExpired') : date(expiresAt),
    },
    {
      id: 'used',
      title: t('settings.tokenUsed'),
      cell: ({ lastUsedAt }) => (lastUsedAt === null ? t('settings.tokenUnused') : dateTime(lastUsedAt)),
    },
    {
      id: 'acts',
      title: t('quarantine.acts'),
      hiddenTitle: true,
      place: 'act',
      right: true,
      cell: (token) => (
        <Button
          size="compact-sm"
          variant="default"
          aria-label={t('settings.revokeOf', { name: token.name })}
          onClick={() => setRevoking(token)}
        >
          {t('settings.revoke')}
        </Button>
      ),
    },
  ]
  return (
    <div className="stack">
      <div className="card-head" style={{ margin: 0 }}>
        <Button onClick={makeModal.open}>{t('settings.tokenNew')}</Button>
        <a className="link" href="/api/openapi.json">
          {t('settings.apiDocs')}
        </a>
      </div>
      {revoke.error && <Failure error={revoke.error} />}
      <DataTable
        listing={listingOf(tokens)}
        columns={columns}
        rowKey={({ id }) => id}
        label={t('settings.tokens')}
        empty={{ title: t('settings.noTokens'), text: t('settings.noTokensText') }}
      />
      <NewToken opened={making} onClose={makeModal.close} />
      <Confirm
        opened={revoking !== undefined}
        onClose={() => setRevoking(undefined)}
        title={t('settings.revokeTitle', { name: revoking?.name ?? '' })}
        text={t('settings.revokeText')}
        act={t('settings.revoke')}
        go={() => revoking && revoke.mutate(revoking.id)}
      />
    </div>
  )
}

function NewToken({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation()
  const queries = useQueryClient()
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role>('viewer')
  const [days, setDays] = useState('90')
  const make = useMutation({
    mutationFn: () =>
      post<CreatedToken>('/api/tokens', { name, role, ...(days === '' ? {} : { expiresInDays: Number(days) }) }),
    onSuccess: () => void queries.invalidateQueries({ queryKey: ['tokens'] }),
  })
  const close = () => {
    make.reset()
    setName('')
    onClose()
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    make.mutate()
  }
  return (
    <Modal
      opened={opened}
      onClose={close}
      title={<strong>{t('settings.tokenNew')}</strong>}
      closeButtonProps={{ 'aria-label': t('app.close') }}
    >
      {make.data ? (
        <Once label={t('settings.tokenValue')} value={make.data.value} note={t('settings.tokenKeep')} />
      ) : (
        <form onSubmit={submit}>
          <p style={{ marginTop: 0 }}>{t('settings.tokenText')}</p>
          <TextInput
            label={t('settings.tokenName')}
            placeholder={t('settings.tokenNameHint')}
            required
            withAsterisk={false}
            maxLength={120}
            mb="sm"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
          />
          <RoleChoice value={role} onChange={setRole} label={t('settings.role')} />
          <TextInput
            label={t('settings.tokenDays')}
            type="number"
            min={1}
            max={3650}
            mb="md"
            value={days}
            onChange={(event) => setDays(event.currentTarget.value)}
          />
          {make.error && <Failure error={make.error} />}
          <Button type="submit" loading={make.isPending}>
            {t('settings.tokenMake')}
          </Button>
        </form>
      )}
    </Modal>
  )
}
