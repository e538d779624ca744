// Written by `make generate` from qpi_jupyter/wire: change that, not this.

/** The schema of the lab's events on Jupyter's event bus. */
export const LAB_EVENTS = 'https://schema.qpi-jupyter.org/lab/v1';

/** The media type of a job's output in a notebook. */
export const JOB_OUTPUT = 'application/vnd.qpi.job+json';

/** That of a preview. */
export const PREVIEW_OUTPUT = 'application/vnd.qpi.preview+json';

/** Why a job failed; `line` and `column` (from 1) are in `data` for a bad circuit. */
export interface JobError {
  readonly kind: string;
  readonly code: string;
  readonly message: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Every error of the native surface: `{"error": {...}}`. */
export interface ErrorBody {
  readonly error: JobError;
}

/** What was taken from an account, or given to it. */
export interface LedgerLine {
  readonly account: string;
  readonly kind: 'grant' | 'hold' | 'refund' | 'settle';
  readonly amount_s: number;
}

/**
 * What a row of a list shows of a job, what it cost and, in the events of one job, who had the
 * attempt.
 */
export interface JobData {
  readonly status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'running';
  readonly phase: 'assigned' | 'blocked' | 'cancelled' | 'cancelling' | 'completed' | 'failed' | 'lost' | 'queued' | 'running';
  readonly attempt: number;
  readonly version: number;
  readonly checked: boolean;
  readonly progress: number;
  readonly rows?: number;
  readonly name: string;
  readonly owner: string;
  readonly driver?: string;
  readonly ledger?: readonly LedgerLine[];
  readonly error?: JobError;
  readonly driver_name?: string;
  readonly family?: string;
  readonly waits_for?: number;
}

/** A job is in the queue. Seen by its owner. */
export interface JobSubmitted {
  readonly kind: 'job.submitted';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string;
  readonly qpu: string | null;
  readonly data: JobData;
}

/** A job that was submitted unchecked may run. Seen by its owner. */
export interface JobChecked {
  readonly kind: 'job.checked';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string;
  readonly qpu: string | null;
  readonly data: JobData;
}

/** A job was assigned, began, was lost, waits again or ended. Seen by its owner. */
export interface JobChanged {
  readonly kind: 'job.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string;
  readonly qpu: string | null;
  readonly data: JobData;
}

/** A running job is further. Seen by its owner. */
export interface JobProgress {
  readonly kind: 'job.progress';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string;
  readonly qpu: string | null;
  readonly data: JobData;
}

/** `changed` names the fields that were edited; their new values are here, too. */
export interface JobEditData {
  readonly status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'running';
  readonly phase: 'assigned' | 'blocked' | 'cancelled' | 'cancelling' | 'completed' | 'failed' | 'lost' | 'queued' | 'running';
  readonly attempt: number;
  readonly version: number;
  readonly checked: boolean;
  readonly progress: number;
  readonly rows?: number;
  readonly name: string;
  readonly owner: string;
  readonly driver?: string;
  readonly ledger?: readonly LedgerLine[];
  readonly error?: JobError;
  readonly driver_name?: string;
  readonly family?: string;
  readonly waits_for?: number;
  readonly by: string;
  readonly changed: readonly ('name' | 'project' | 'shared_with' | 'tags')[];
  readonly tags?: readonly string[];
  readonly project?: string;
  readonly shared_with?: string | null;
}

/** A job has another name, tags, project or group that sees it. Seen by its owner. */
export interface JobEdited {
  readonly kind: 'job.edited';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string;
  readonly qpu: string | null;
  readonly data: JobEditData;
}

/** A job as it was last. */
export interface JobDeletionData {
  readonly status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'running';
  readonly phase: 'assigned' | 'blocked' | 'cancelled' | 'cancelling' | 'completed' | 'failed' | 'lost' | 'queued' | 'running';
  readonly attempt: number;
  readonly version: number;
  readonly checked: boolean;
  readonly progress: number;
  readonly rows?: number;
  readonly name: string;
  readonly owner: string;
  readonly driver?: string;
  readonly ledger?: readonly LedgerLine[];
  readonly error?: JobError;
  readonly driver_name?: string;
  readonly family?: string;
  readonly waits_for?: number;
  readonly by: string;
}

/** A job that had ended is gone. Seen by its owner. */
export interface JobDeleted {
  readonly kind: 'job.deleted';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string;
  readonly qpu: string | null;
  readonly data: JobDeletionData;
}

/**
 * `fragment` of the plan has the job `child_id`; `reason` says why a place was refused, expired or
 * is not     needed any more.
 */
export interface ReservationData {
  readonly id: string;
  readonly state: 'requested' | 'prepared' | 'committed' | 'executed' | 'rejected' | 'expired' | 'canceled';
  readonly fragment: number;
  readonly child_id: string;
  readonly reason: string;
}

/**
 * A plan's fragment was given a place on a QPU, or lost it; `job_id` is the plan's job. Seen by
 * its owner.
 */
export interface ReservationChanged {
  readonly kind: 'reservation.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string;
  readonly qpu: string;
  readonly data: ReservationData;
}

/**
 * `by` is there where somebody switched it, `trust` where somebody asked for it or decided about
 * it.
 */
export interface QpuData {
  readonly status: 'deleted' | 'disabled' | 'held' | 'maintenance' | 'offline' | 'online';
  readonly reason?: string;
  readonly until_at?: string | null;
  readonly hold?: string | null;
  readonly by?: string;
  readonly trust?: 'platform_managed' | 'user_contributed' | 'public_untrusted' | 'quarantined';
}

/** A QPU is new, came, went, was switched or deleted. Seen by everybody. */
export interface QpuChanged {
  readonly kind: 'qpu.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string;
  readonly data: QpuData;
}

/** The id of the calibration that it has now. */
export interface CalibrationData {
  readonly calibration_id: string;
}

/**
 * A QPU has another calibration: what is measured from now on is measured with it. Seen by
 * everybody.
 */
export interface QpuCalibrated {
  readonly kind: 'qpu.calibrated';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string;
  readonly data: CalibrationData;
}

/**
 * `started` and `stopped` are of simulators that the lab's server runs; `by` is empty for the lab
 * itself.
 */
export interface DriverData {
  readonly driver: string;
  readonly action: 'disabled' | 'drained' | 'enabled' | 'linked' | 'refused' | 'registered' | 'renewed' | 'revoked' | 'started' | 'stopped' | 'unlinked';
  readonly by: string;
}

/**
 * A driver was registered, switched, drained, revoked, came, went or was refused. Seen by
 * managers.
 */
export interface DriverChanged {
  readonly kind: 'driver.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string;
  readonly data: DriverData;
}

/** The driver's name. */
export interface DriverLogData {
  readonly driver: string;
}

/** A driver has written into its log. Seen by managers. */
export interface DriverLogged {
  readonly kind: 'driver.logged';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string;
  readonly data: DriverLogData;
}

/** A booking before or after a change; who it is of is there where the lab shows it to everybody. */
export interface BookingOutline {
  readonly version: number;
  readonly qpu: string;
  readonly start_at: string;
  readonly end_at: string;
  readonly mode: 'exclusive' | 'maintenance' | 'priority';
  readonly status: 'booked' | 'deleted' | 'no_show' | 'released';
  readonly series_id: string | null;
  readonly slot_id: string | null;
  readonly booked_by?: string;
  readonly title?: string;
  readonly invited?: readonly string[];
}

/**
 * `before` is null for a new booking; `by` is null where the lab does not show people, empty for
 * the lab.
 */
export interface BookingData {
  readonly booking_id: string;
  readonly action: 'changed' | 'created' | 'deleted' | 'no_show' | 'released';
  readonly by: string | null;
  readonly before: BookingOutline | null;
  readonly after: BookingOutline;
}

/** A booking was made, moved, released, deleted or given back. Seen by everybody. */
export interface BookingChanged {
  readonly kind: 'booking.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string;
  readonly data: BookingData;
}

/** `qpu` of the event and `group` say for what the rule is; null is for all. */
export interface BookingRuleData {
  readonly id: string;
  readonly action: 'deleted' | 'set';
  readonly group: string | null;
}

/** A rule that binds bookings was set or taken out. Seen by everybody. */
export interface BookingRuleChanged {
  readonly kind: 'booking_rule.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string | null;
  readonly data: BookingRuleData;
}

/** `holder` and `reason` are there where the lab shows to everybody who has booked. */
export interface SessionData {
  readonly action: 'closed' | 'opened';
  readonly session_id: string;
  readonly holder?: string;
  readonly reason?: string | null;
}

/** Somebody holds a QPU, or lets go of it. Seen by everybody. */
export interface SessionChanged {
  readonly kind: 'session.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string;
  readonly data: SessionData;
}

/** The line of the ledger, and what is left after it. */
export interface BalanceData {
  readonly account: string;
  readonly kind: 'grant' | 'hold' | 'refund' | 'settle';
  readonly amount_s: number;
  readonly balance_s: number;
  readonly reason: string;
  readonly by: string;
}

/**
 * A grant, or what a session cost; what a job costs is in its own events. Seen by the account's
 * people.
 */
export interface BalanceChanged {
  readonly kind: 'balance.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string | null;
  readonly data: BalanceData;
}

/** `limited` is null where the lab's configuration says it. */
export interface AccountData {
  readonly account: string;
  readonly limited: boolean | null;
  readonly by: string;
}

/** An account was made limited or unlimited. Seen by the account's people. */
export interface AccountChanged {
  readonly kind: 'account.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string | null;
  readonly data: AccountData;
}

export interface TimeRequestData {
  readonly id: string;
  readonly account: string;
  readonly person: string;
  readonly seconds: number;
  readonly status: 'approved' | 'pending' | 'rejected' | 'withdrawn';
  readonly granted_s: number | null;
  readonly by: string;
}

/** Somebody asks for QPU time, or was answered. Seen by that person. */
export interface TimeRequestChanged {
  readonly kind: 'time_request.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string | null;
  readonly data: TimeRequestData;
}

export interface NoticeData {
  readonly id: string;
  readonly action: 'begun' | 'changed' | 'created' | 'deleted' | 'dismissed';
}

/**
 * A notice was made, changed or taken back, its time has begun, or one has dismissed it. Seen by
 * its readers.
 */
export interface NoticeChanged {
  readonly kind: 'notice.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string | null;
  readonly data: NoticeData;
}

export interface PersonData {
  readonly name: string;
  readonly by: string;
}

/** A person is new, or has other names, roles, groups or rights. Seen by that person. */
export interface PersonChanged {
  readonly kind: 'person.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string | null;
  readonly data: PersonData;
}

export interface GroupData {
  readonly name: string;
  readonly action: 'changed' | 'created' | 'deleted';
  readonly by: string;
}

/** A group is new, has other members or another description, or is gone. Seen by managers. */
export interface GroupChanged {
  readonly kind: 'group.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string | null;
  readonly data: GroupData;
}

export interface TokenData {
  readonly id: string;
  readonly action: 'changed' | 'created' | 'revoked';
  readonly by: string;
}

/** An API token was made, renamed, prolonged or revoked. Seen by whose it is. */
export interface TokenChanged {
  readonly kind: 'token.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string | null;
  readonly data: TokenData;
}

/** Who did what to whom. */
export interface AuditData {
  readonly who: string;
  readonly action: string;
  readonly subject: string;
}

/** The audit log has a new line. Seen by managers. */
export interface AuditWritten {
  readonly kind: 'audit.written';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string | null;
  readonly data: AuditData;
}

/** `progress` goes from 0 to 1. */
export interface ReplayData {
  readonly state: 'cancelled' | 'done' | 'failed' | 'running';
  readonly progress: number;
}

/** A replay of the past begins, goes on or ends. Seen by who started it. */
export interface ReplayChanged {
  readonly kind: 'replay.changed';
  readonly seq: number;
  readonly prev: number;
  readonly at: string;
  readonly job_id: string | null;
  readonly qpu: string | null;
  readonly data: ReplayData;
}

/** `cursor` goes into `?after=`; it moves even where every event in between was somebody else's. */
export interface EventPage {
  readonly events: readonly LabEvent[];
  readonly cursor: number;
}

/**
 * What a waiting job waits for. `until_at` is when that ends, where it is known: a booking, a
 * maintenance.
 */
export interface WaitReason {
  readonly rule: string;
  readonly message: string;
  readonly position: number | null;
  readonly since_at: string | null;
  readonly until_at: string | null;
}

/** When a waiting job is likely to start, or a running one to end. */
export interface Eta {
  readonly of: 'end' | 'start';
  readonly known: boolean;
  readonly earliest_at: string | null;
  readonly likely_at: string | null;
  readonly latest_at: string | null;
  readonly error_s: number | null;
}

/** The stored dataset: its size in bytes and its SHA-256. */
export interface DatasetInfo {
  readonly sha256: string;
  readonly bytes: number;
}

/** One job, as its owner sees it. `version` grows with every change, progress included. */
export interface JobModel {
  readonly id: string;
  readonly version: number;
  readonly owner: string;
  readonly status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'running';
  readonly phase: 'assigned' | 'blocked' | 'cancelled' | 'cancelling' | 'completed' | 'failed' | 'lost' | 'queued' | 'running';
  readonly qpu: string | null;
  readonly priority: number;
  readonly attempt: number;
  readonly checked: boolean;
  readonly progress: number;
  readonly format: string;
  readonly num_circuits: number;
  readonly shots: number;
  readonly submitted_at: string;
  readonly rows: number;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly estimate_s: number | null;
  readonly upper_s: number | null;
  readonly busy_s: number | null;
  readonly reason: WaitReason | null;
  readonly eta: Eta | null;
  readonly error: JobError | null;
  readonly dataset: DatasetInfo | null;
  readonly origin: Readonly<Record<string, unknown>>;
  readonly retry_safe: boolean;
  readonly account: string;
  readonly family: string | null;
  readonly parent: string | null;
  readonly qpus: readonly string[];
  readonly calibration: string | null;
  readonly calibration_id: string | null;
  readonly counts: readonly Readonly<Record<string, number>>[] | null;
  readonly name: string;
  readonly tags: readonly string[];
  readonly project: string;
  readonly shared_with: string | null;
}

/**
 * Newest first; `next` goes into `?after=` for the page that follows. A page may be shorter than
 * was asked     for, even empty: only without `next` it is the last.
 */
export interface JobPage {
  readonly jobs: readonly JobModel[];
  readonly next: string | null;
  readonly total: number | null;
}

/**
 * One job of a family; `after` are the ids that it waits for, or waited for, its children among
 * them.
 */
export interface FamilyJob {
  readonly id: string;
  readonly name: string;
  readonly qpu: string | null;
  readonly status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'running';
  readonly phase: 'assigned' | 'blocked' | 'cancelled' | 'cancelling' | 'completed' | 'failed' | 'lost' | 'queued' | 'running';
  readonly parent: string | null;
  readonly after: readonly string[];
}

/**
 * The jobs that hang together because one waits for the other, oldest first, as far as one may see
 * them.
 */
export interface FamilyModel {
  readonly jobs: readonly FamilyJob[];
  readonly cost_s: number | null;
}

/** `PATCH jobs/{id}`; what is left out stays. `shared_with: null` makes the job private. */
export interface JobChange {
  readonly name?: string;
  readonly tags?: readonly string[];
  readonly project?: string;
  readonly shared_with?: string | null;
}

/** One axis of a sweep: the parameters that change along it, together, and their units by name. */
export interface SweepAxisIn {
  readonly parameters: readonly string[];
  readonly length: number;
  readonly units?: Readonly<Record<string, string>>;
}

/**
 * What one circuit of a batch overrides; `axes` says which grid its rows are, the last axis
 * running fastest.
 */
export interface CircuitIn {
  readonly shots?: number | null;
  readonly parameter_values?: readonly (readonly number[])[];
  readonly axes?: readonly SweepAxisIn[];
}

/** Run options, by Qiskit's names; `extra` goes to the executor. */
export interface OptionsIn {
  readonly shots?: number;
  readonly seed_simulator?: number | null;
  readonly meas_level?: number;
  readonly meas_return?: string;
  readonly memory?: boolean;
  readonly circuits?: readonly CircuitIn[];
  readonly extra?: Readonly<Record<string, unknown>>;
}

/**
 * What is needed to run a job again: its options, the digest of its program and, once it has a
 * result, what the     driver says of how that came about. `not_applied` are options of IBM's
 * client that were set and change nothing:     those of its primitives are known with the result.
 */
export interface JobProvenance {
  readonly program_sha256: string;
  readonly options: OptionsIn;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly not_applied: readonly string[];
}

/**
 * Some circuits of a result before all are measured: where they are in it, and the deflated blob
 * of their Datasets     in that order (`qpi_jupyter.data.codec`).
 */
export interface RowChunk {
  readonly rows: readonly number[];
  readonly data: string;
}

/**
 * What is measured of a running attempt: `measured` rows of `circuits` (null: not known).
 * `version` is     another whenever there is more, or another attempt.
 */
export interface PartialResult {
  readonly status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'running';
  readonly attempt: number;
  readonly version: number;
  readonly measured: number;
  readonly circuits: number | null;
  readonly drawings: readonly Readonly<Record<string, unknown>>[];
  readonly have: number;
  readonly chunks: readonly RowChunk[];
}

/** One program as people read it, or why it has no text. */
export interface CircuitText {
  readonly text: string | null;
  readonly name: string;
  readonly problem: string;
}

/** A program to be read: its first circuits, of `total`. What was QPY is written as OpenQASM 3. */
export interface ProgramText {
  readonly circuits: readonly CircuitText[];
  readonly total: number;
  readonly problem: string;
  readonly as_sent: boolean;
  readonly language: string;
  readonly suffix: string;
}

/**
 * What to run, in a format that a manifest lists: `sources` of a text format, or `data` (base64)
 * of any.
 */
export interface ProgramIn {
  readonly format: string;
  readonly sources?: readonly string[];
  readonly data?: readonly string[];
}

/**
 * What a client of IBM Quantum asked for; `cost` is the longest that it may take (s). Of a
 * `private` job the     inputs do not come back, and its result does once. `not_applied` are its
 * runtime options that change nothing.
 */
export interface RuntimeOrigin {
  readonly backend: string;
  readonly session_id?: string | null;
  readonly cost?: number | null;
  readonly private?: boolean;
  readonly not_applied?: readonly string[];
}

/** The notebook cell that a job came from, or what a client of IBM Quantum asked for. */
export interface OriginIn {
  readonly notebook?: string | null;
  readonly cell_id?: string | null;
  readonly kernel_id?: string | null;
  readonly execution_count?: number | null;
  readonly source_sha256?: string | null;
  readonly runtime?: RuntimeOrigin | null;
}

/**
 * `POST jobs`. Without `qpu` an online simulator that fits is taken; a priority over 0 is for
 * managers.
 */
export interface SubmitRequest {
  readonly program: ProgramIn;
  readonly options?: OptionsIn;
  readonly qpu?: string | null;
  readonly priority?: number;
  readonly retry_safe?: boolean;
  readonly group?: string | null;
  readonly origin?: OriginIn;
  readonly calibration?: string | null;
  readonly after?: readonly string[];
  readonly children?: readonly string[];
  readonly name?: string;
  readonly tags?: readonly string[];
  readonly project?: string;
  readonly shared_with?: string | null;
}

/**
 * Who holds a QPU for a low-latency loop. It ends at `until` at the latest, and earlier when
 * nobody renews it.
 */
export interface QpuSession {
  readonly holder: string | null;
  readonly mine: boolean;
  readonly opened_at: string;
  readonly until: string;
}

/** One QPU in a list. */
export interface QpuModel {
  readonly name: string;
  readonly kind: 'device' | 'pool';
  readonly status: 'disabled' | 'held' | 'maintenance' | 'offline' | 'online';
  readonly simulator: boolean;
  readonly executor: string;
  readonly num_qubits: number;
  readonly places: number;
  readonly queued: number;
  readonly running: number;
  readonly description: string;
  readonly reason: string;
  readonly until_at: string | null;
  readonly hold: string | null;
  readonly session: QpuSession | null;
}

export interface QpuList {
  readonly qpus: readonly QpuModel[];
}

/**
 * One way to write a program. The fields travel in manifests; the methods are for whoever has the
 * format's package.
 */
export interface ProgramFormat {
  readonly name: string;
  readonly noun: string;
  readonly text: boolean;
  readonly language: string;
  readonly suffix: string;
  readonly many: boolean;
  readonly max_source_bytes: number;
  readonly max_sources: number;
}

/** One calibrated operation on given qubits; duration in seconds, error as a probability. */
export interface GateProperties {
  readonly gate: string;
  readonly qubits: readonly number[];
  readonly duration_s: number | null;
  readonly error: number | null;
}

/** T1 and T2 in seconds, frequency in Hz, readout error as a probability. */
export interface QubitProperties {
  readonly t1_s: number | null;
  readonly t2_s: number | null;
  readonly frequency_hz: number | null;
  readonly readout_error: number | null;
}

/** Everything a client needs to build a Qiskit Target, and a planner to size a job. */
export interface Manifest {
  readonly executor: string;
  readonly executor_version: string;
  readonly num_qubits: number;
  readonly basis_gates: readonly string[];
  readonly coupling_map: readonly (readonly [number, number])[] | null;
  readonly formats: readonly string[];
  readonly format_facts: readonly ProgramFormat[];
  readonly meas_levels: readonly number[];
  readonly meas_returns: readonly string[];
  readonly max_shots: number;
  readonly simulator: boolean;
  readonly control_flow: boolean;
  readonly mid_circuit_measurement: boolean;
  readonly dt_s: number | null;
  readonly gates: readonly GateProperties[];
  readonly qubits: readonly QubitProperties[];
  readonly options: readonly string[];
  readonly option_schemas: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly calibration_id: string;
  readonly calibrated_at: string | null;
  readonly config_sha256: string;
  readonly description: string;
}

/** One QPU with its manifest; None until its first driver said hello. */
export interface QpuDetail {
  readonly name: string;
  readonly kind: 'device' | 'pool';
  readonly status: 'disabled' | 'held' | 'maintenance' | 'offline' | 'online';
  readonly simulator: boolean;
  readonly executor: string;
  readonly num_qubits: number;
  readonly places: number;
  readonly queued: number;
  readonly running: number;
  readonly description: string;
  readonly reason: string;
  readonly until_at: string | null;
  readonly hold: string | null;
  readonly session: QpuSession | null;
  readonly manifest: Manifest | null;
}

/** `POST qpus`: register a QPU. */
export interface QpuIn {
  readonly name: string;
  readonly kind?: 'device' | 'pool';
  readonly description?: string;
  readonly num_qubits?: number | null;
}

/** `PATCH qpus/{name}`; what is left out stays. `hold` says why nothing runs; null lets go. */
export interface QpuChange {
  readonly enabled?: boolean;
  readonly maintenance?: boolean;
  readonly hold?: string | null;
  readonly description?: string;
}

/** `POST drivers`: register a driver of a QPU; the answer shows its token once. */
export interface DriverIn {
  readonly name: string;
  readonly qpu: string;
  readonly monitor?: boolean;
  readonly executor?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly python?: string;
  readonly allow_simulator?: boolean;
}

/**
 * A driver with a new token, which only this answer shows: the command that starts it, and a
 * systemd unit.
 */
export interface DriverRegistered {
  readonly id: string;
  readonly name: string;
  readonly qpu: string;
  readonly token: string;
  readonly command: string;
  readonly unit: string;
  readonly ca_fingerprint: string | null;
}

/** `POST tokens`: an API token of one's own; without scopes it may what its owner may. */
export interface TokenIn {
  readonly name?: string;
  readonly expires_at?: string | null;
  readonly scopes?: readonly ('drive' | 'manage' | 'read' | 'submit')[] | null;
  readonly owner?: string | null;
}

export interface TokenCreated {
  readonly id: string;
  readonly name: string;
  readonly token: string;
  readonly expires_at: string | null;
  readonly scopes: readonly string[] | null;
}

/**
 * `POST bookings`: `[start_at, end_at)` on one QPU, or on several as one slot (`qpus`), all or
 * nothing.
 */
export interface BookingIn {
  readonly start_at: string;
  readonly end_at: string;
  readonly qpu?: string | null;
  readonly qpus?: readonly string[];
  readonly mode?: 'exclusive' | 'maintenance' | 'priority';
  readonly title?: string;
  readonly invited?: readonly string[];
  readonly booked_by?: string | null;
  readonly rrule?: string | null;
  readonly timezone?: string;
}

/** `PATCH bookings/{id}`; what is left out stays. `version`, if given, must still be the booking's. */
export interface BookingChange {
  readonly start_at?: string;
  readonly end_at?: string;
  readonly mode?: 'exclusive' | 'maintenance' | 'priority';
  readonly title?: string;
  readonly invited?: readonly string[];
  readonly version?: number | null;
}

/** One booking. `booked_by` and `title` are null where the lab keeps them private. */
export interface BookingModel {
  readonly version: number;
  readonly qpu: string;
  readonly start_at: string;
  readonly end_at: string;
  readonly mode: 'exclusive' | 'maintenance' | 'priority';
  readonly status: 'booked' | 'deleted' | 'no_show' | 'released';
  readonly series_id: string | null;
  readonly slot_id: string | null;
  readonly id: string;
  readonly booked_by: string | null;
  readonly title: string | null;
  readonly invited: readonly string[];
  readonly mine: boolean;
  readonly timezone: string;
  readonly used_at: string | null;
  readonly created_at: string | null;
  readonly changed_at: string | null;
}

/** By `start_at`; `next` goes into `?after=`. */
export interface BookingList {
  readonly bookings: readonly BookingModel[];
  readonly next: string | null;
  readonly cut_at: string | null;
}

/**
 * No bookings on `days` (0: Monday) between `start` and `end` ("22:00"); past midnight if end <=
 * start.
 */
export interface QuietHours {
  readonly start: string;
  readonly end: string;
  readonly days?: readonly number[];
  readonly timezone?: string;
}

/** What a booking must keep to; None: no limit. Lengths in seconds, quiet hours in `timezone`. */
export interface BookingRule {
  readonly granularity_s?: number | null;
  readonly shortest_s?: number | null;
  readonly longest_s?: number | null;
  readonly horizon_s?: number | null;
  readonly max_ahead?: number | null;
  readonly no_show_s?: number | null;
  readonly modes?: readonly ('exclusive' | 'maintenance' | 'priority')[] | null;
  readonly quiet?: readonly QuietHours[];
}

/** `PUT booking-rules`: the rule for a QPU and a group; None means every one. */
export interface BookingRuleIn {
  readonly rule: BookingRule;
  readonly qpu?: string | null;
  readonly group?: string | null;
}

export interface BookingRuleModel {
  readonly id: string;
  readonly qpu: string | null;
  readonly group: string | null;
  readonly rule: BookingRule;
  readonly changed_by: string;
  readonly changed_at: string;
}

/** The lab's rules, and what they come to for the person who asks, by QPU. */
export interface BookingRuleList {
  readonly rules: readonly BookingRuleModel[];
  readonly mine: Readonly<Record<string, BookingRule>>;
}

/** The first free interval of the asked length. */
export interface NextFree {
  readonly qpu: string;
  readonly start_at: string;
  readonly end_at: string;
}

/** `POST feeds`: a secret address of one's own bookings, or of a QPU's. */
export interface FeedIn {
  readonly qpu?: string | null;
}

/** A calendar feed; `url` only where it was just made. */
export interface FeedModel {
  readonly id: string;
  readonly qpu: string | null;
  readonly created_at: string;
  readonly used_at: string | null;
  readonly url: string | null;
}

export interface FeedList {
  readonly feeds: readonly FeedModel[];
}

/** A session. `held_s` is how long the QPU was held, `busy_s` how much of that its jobs ran. */
export interface SessionModel {
  readonly id: string;
  readonly qpu: string;
  readonly holder: string | null;
  readonly opened_at: string;
  readonly expires_at: string;
  readonly closed_at: string | null;
  readonly reason: string;
  readonly booking_id: string | null;
  readonly budget_s: number;
  readonly idle_s: number;
  readonly held_s: number | null;
  readonly busy_s: number | null;
  readonly mine: boolean;
}

export interface SessionList {
  readonly sessions: readonly SessionModel[];
}

/** What an .ics file brought: the new bookings, and why the others were refused. */
export interface Imported {
  readonly bookings: readonly BookingModel[];
  readonly refused: readonly Readonly<Record<string, string>>[];
}

/** An account: a person's, or `group:` and a group's. `available_s` is None where it is unlimited. */
export interface AccountModel {
  readonly name: string;
  readonly balance_s: number;
  readonly held_s: number;
  readonly limited: boolean;
  readonly available_s: number | null;
  readonly used_s: number;
}

export interface AccountList {
  readonly accounts: readonly AccountModel[];
  readonly next: string | null;
}

/** `PATCH accounts/{name}`: limited, unlimited, or (null) as the lab's configuration says. */
export interface AccountChange {
  readonly limited: boolean | null;
}

/** `POST accounts/{name}/grants`: QPU-seconds to add; negative ones take back. */
export interface GrantIn {
  readonly seconds: number;
  readonly reason?: string;
}

/** One line of the ledger. */
export interface EntryModel {
  readonly account: string;
  readonly kind: 'grant' | 'hold' | 'refund' | 'settle';
  readonly amount_s: number;
  readonly seq: number;
  readonly at: string;
  readonly person: string;
  readonly qpu: string | null;
  readonly job_id: string | null;
  readonly attempt: number | null;
  readonly reason: string;
}

/** Newest first; `next` goes into `?after=`. */
export interface EntryPage {
  readonly entries: readonly EntryModel[];
  readonly next: string | null;
}

/** What an account's people used on a QPU in a month (`2030-01`, UTC). */
export interface StatementLine {
  readonly account: string;
  readonly person: string;
  readonly qpu: string;
  readonly month: string;
  readonly jobs: number;
  readonly used_s: number;
  readonly granted_s: number;
  readonly refunded_s: number;
}

export interface Statement {
  readonly lines: readonly StatementLine[];
}

/** `POST time-requests`: ask for QPU-seconds, for oneself or for a group one belongs to. */
export interface TimeRequestIn {
  readonly seconds: number;
  readonly reason?: string;
  readonly group?: string | null;
}

/**
 * `POST time-requests/{id}/answer`, by a manager; `seconds` grants another amount than was asked
 * for.
 */
export interface TimeRequestAnswer {
  readonly status: 'approved' | 'rejected';
  readonly reason?: string;
  readonly seconds?: number | null;
}

export interface TimeRequestModel {
  readonly id: string;
  readonly person: string;
  readonly account: string;
  readonly seconds: number;
  readonly reason: string;
  readonly status: 'approved' | 'pending' | 'rejected' | 'withdrawn';
  readonly answer: string;
  readonly granted_s: number | null;
  readonly created_at: string;
  readonly handled_by: string | null;
  readonly handled_at: string | null;
}

export interface TimeRequestList {
  readonly requests: readonly TimeRequestModel[];
  readonly next: string | null;
}

/** A person. Others than managers and oneself see the names and the groups alone. */
export interface UserModel {
  readonly name: string;
  readonly display_name: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  readonly source: string;
  readonly email: string;
  readonly email_verified: boolean;
  readonly suspended_at: string | null;
  readonly created_at: string | null;
  readonly seen_at: string | null;
}

/** `GET me`: who one is, and what one may do. */
export interface Me {
  readonly user: UserModel;
  readonly permissions: readonly string[];
  readonly timezone: string | null;
}

/** `POST users`: a person before their first visit; with `password` a local account. */
export interface UserIn {
  readonly name: string;
  readonly display_name?: string;
  readonly email?: string;
  readonly roles?: readonly ('admin' | 'manager' | 'service' | 'user')[];
  readonly groups?: readonly string[];
  readonly password?: string | null;
}

/** `PATCH users/{name}`; what is left out stays. `roles` needs an admin. */
export interface UserChange {
  readonly display_name?: string;
  readonly email?: string;
  readonly roles?: readonly ('admin' | 'manager' | 'service' | 'user')[];
  readonly groups?: readonly string[];
  readonly suspended?: boolean;
  readonly password?: string | null;
}

/** By name; `next` goes into `?after=`. */
export interface UserList {
  readonly users: readonly UserModel[];
  readonly next: string | null;
}

/** `POST groups`. */
export interface GroupIn {
  readonly name: string;
  readonly description?: string;
  readonly members?: readonly string[];
}

/** `PATCH groups/{name}`; `members` is the whole list. */
export interface GroupChange {
  readonly description?: string;
  readonly members?: readonly string[];
}

export interface GroupModel {
  readonly name: string;
  readonly description: string;
  readonly members: readonly string[];
  readonly created_at: string;
}

export interface GroupList {
  readonly groups: readonly GroupModel[];
}

/**
 * `POST join-links`: an address where `uses` people make their own accounts within `days`; each
 * gets into     the group, and has `allowance_s` of QPU time and no more.
 */
export interface JoinLinkIn {
  readonly name?: string;
  readonly group?: string | null;
  readonly allowance_s?: number | null;
  readonly uses?: number;
  readonly days?: number;
}

/** A join link; `url` only where it was just made. */
export interface JoinLinkModel {
  readonly id: string;
  readonly name: string;
  readonly group: string | null;
  readonly allowance_s: number | null;
  readonly uses: number;
  readonly used: number;
  readonly created_by: string;
  readonly created_at: string;
  readonly expires_at: string;
  readonly url: string | null;
}

/** Those that still count, the newest first. */
export interface JoinLinkList {
  readonly links: readonly JoinLinkModel[];
  readonly local_accounts: boolean;
}

/** An API token, without the token itself. */
export interface TokenModel {
  readonly id: string;
  readonly name: string;
  readonly owner: string;
  readonly scopes: readonly string[] | null;
  readonly created_at: string;
  readonly expires_at: string | null;
  readonly last_used_at: string | null;
  readonly session: boolean;
}

export interface TokenList {
  readonly tokens: readonly TokenModel[];
}

/** `POST notices`: for everybody, or for people and groups; within its time window. */
export interface NoticeIn {
  readonly title: string;
  readonly body?: string;
  readonly people?: readonly string[];
  readonly groups?: readonly string[];
  readonly start_at?: string | null;
  readonly end_at?: string | null;
}

/** `PATCH notices/{id}`; what is left out stays. */
export interface NoticeChange {
  readonly title?: string;
  readonly body?: string;
  readonly people?: readonly string[];
  readonly groups?: readonly string[];
  readonly start_at?: string | null;
  readonly end_at?: string | null;
}

export interface NoticeModel {
  readonly id: string;
  readonly title: string;
  readonly body: string;
  readonly created_by: string;
  readonly created_at: string;
  readonly people: readonly string[];
  readonly groups: readonly string[];
  readonly start_at: string | null;
  readonly end_at: string | null;
  readonly dismissed: boolean;
}

export interface NoticeList {
  readonly notices: readonly NoticeModel[];
}

/** A line of the audit log. */
export interface AuditEntry {
  readonly who: string;
  readonly action: string;
  readonly subject: string;
  readonly seq: number;
  readonly at: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** Newest first; `next` goes into `?after=`. */
export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  readonly next: string | null;
}

/**
 * One value of a qubit, or of a gate on its qubits: `t1`, `t2`, `duration` (s), `frequency` (Hz),
 * `readout_error`, `error` (probabilities).
 */
export interface CalibrationFigure {
  readonly quantity: string;
  readonly gate: string;
  readonly qubits: readonly number[];
  readonly value: number;
  readonly unit: string;
}

/**
 * What a QPU was calibrated to; `at` is when, and `config_sha256` the hash of the driver's
 * configuration.
 */
export interface CalibrationModel {
  readonly id: string;
  readonly at: string;
  readonly config_sha256: string;
  readonly figures: readonly CalibrationFigure[];
}

/**
 * Newest first; `next` goes into `?after=` for the page that follows, which a short page may have,
 * too.
 */
export interface CalibrationPage {
  readonly calibrations: readonly CalibrationModel[];
  readonly next: string | null;
}

/** One channel of a QPU with its newest reading; `calibration` marks what the QPU's manifest says. */
export interface ChannelModel {
  readonly name: string;
  readonly unit: string;
  readonly calibration: boolean;
  readonly value: number | null;
  readonly at: string;
}

export interface ChannelList {
  readonly channels: readonly ChannelModel[];
}

/** The readings of `[at, at + width_s)`; one reading where `width_s` is 0. */
export interface SeriesPoint {
  readonly at: string;
  readonly mean: number;
  readonly lowest: number;
  readonly highest: number;
  readonly n: number;
}

/** A channel over time, oldest first, in steps of `width_s` seconds (0: as measured). */
export interface Series {
  readonly qpu: string;
  readonly name: string;
  readonly unit: string;
  readonly width_s: number;
  readonly points: readonly SeriesPoint[];
}

/** A driver of a QPU. `seen_at` is its last sign of life, as far as this server has heard one. */
export interface QpuDriver {
  readonly name: string;
  readonly enabled: boolean;
  readonly linked: boolean;
  readonly draining: boolean;
  readonly monitor: boolean;
  readonly places: number;
  readonly version: string;
  readonly hello_at: string | null;
  readonly seen_at: string | null;
  readonly host: string | null;
}

export interface QpuDriverList {
  readonly drivers: readonly QpuDriver[];
}

/** One line of a driver's own log; `dropped` lines right before it were left out. */
export interface DriverLogLine {
  readonly seq: number;
  readonly at: string;
  readonly level: 'critical' | 'error' | 'info' | 'warning';
  readonly logger: string;
  readonly message: string;
  readonly dropped: number;
}

/** The last lines of a driver's log, oldest first. */
export interface DriverLog {
  readonly lines: readonly DriverLogLine[];
}

/** A driver of a QPU. `embedded`: a simulator that the lab's own server starts. */
export interface DriverDetail {
  readonly name: string;
  readonly enabled: boolean;
  readonly linked: boolean;
  readonly draining: boolean;
  readonly monitor: boolean;
  readonly places: number;
  readonly version: string;
  readonly hello_at: string | null;
  readonly id: string;
  readonly qpu: string;
  readonly host: string;
  readonly embedded: boolean;
  readonly created_at: string;
  readonly problem: string;
}

export interface DriverList {
  readonly drivers: readonly DriverDetail[];
}

/** `POST simulators`: start one, now and with the lab. Without `qpu` its QPU is called as it is. */
export interface SimulatorIn {
  readonly name: string;
  readonly executor?: string;
  readonly qpu?: string | null;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly twin_of?: string | null;
  readonly places?: number;
  readonly description?: string;
}

/** An executor that is installed beside the server. */
export interface ExecutorModel {
  readonly name: string;
  readonly package: string;
  readonly description: string;
  readonly summary: string;
  readonly formats: readonly string[];
  readonly options: Readonly<Record<string, unknown>>;
  readonly simulator: boolean | null;
  readonly problem: string;
}

export interface ExecutorList {
  readonly executors: readonly ExecutorModel[];
}

/** A simulator that the lab's server runs. `running`: it is kept alive; `linked`: it takes jobs. */
export interface SimulatorModel {
  readonly name: string;
  readonly qpu: string;
  readonly executor: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly places: number;
  readonly description: string;
  readonly running: boolean;
  readonly linked: boolean;
  readonly problem: string;
  readonly twin_of: string | null;
}

export interface SimulatorList {
  readonly simulators: readonly SimulatorModel[];
}

/**
 * One setting; what is secret is masked. `source` says who set it: flag, environment, a file, or
 * default.
 */
export interface ConfigSetting {
  readonly name: string;
  readonly value: unknown;
  readonly source: string;
  readonly help: string;
}

export interface ConfigInForce {
  readonly settings: readonly ConfigSetting[];
}

/** A policy to try: the one in force, but for what is given here; durations in seconds. */
export interface PolicyIn {
  readonly name: string;
  readonly idle_threshold_s?: number;
  readonly backfill_max_s?: number;
  readonly fair_share?: boolean;
  readonly fair_share_window_s?: number;
}

/**
 * `POST replay`: what was submitted from `start_at` (default: 30 days back) to `end_at` (default:
 * now).
 */
export interface ReplayIn {
  readonly policies: readonly PolicyIn[];
  readonly start_at?: string | null;
  readonly end_at?: string | null;
  readonly seed?: number | null;
}

/** What a lab may set; durations in seconds. */
export interface Policy {
  readonly idle_threshold_s: number;
  readonly backfill_max_s: number;
  readonly fair_share: boolean;
  readonly fair_share_window_s: number;
}

/** From submit to start, in seconds: the mean, half of the jobs, all but the longest twentieth. */
export interface Waits {
  readonly jobs: number;
  readonly mean_s: number | null;
  readonly p50_s: number | null;
  readonly p95_s: number | null;
}

/**
 * Jain's index over people, 1 where all are equal: of their mean waits, and of their share of
 * service.
 */
export interface Fairness {
  readonly waits: number;
  readonly served: number;
}

/** What became of the bookings; `kept`: nobody else's job was running when they began. */
export interface BookingsKept {
  readonly total: number;
  readonly kept: number;
  readonly no_show: number;
  readonly latest_s: number;
}

/** How many jobs outlasted what the lab had been told, and the part that did not. */
export interface Bounds {
  readonly outlasted: number;
  readonly within: number;
}

/** What one policy would have meant; the figures of `jupyter qpi replay --json`. */
export interface ReplayResult {
  readonly name: string;
  readonly policy: Policy;
  readonly jobs: number;
  readonly never_ran: number;
  readonly waits: Readonly<Record<string, Waits>>;
  readonly people: Readonly<Record<string, Waits>>;
  readonly utilisation: Readonly<Record<string, number>>;
  readonly fairness: Fairness;
  readonly bookings: BookingsKept;
  readonly estimates: Bounds;
}

/**
 * The replay that runs, or the last one since the lab's server started. `progress` goes from 0 to
 * 1.
 */
export interface ReplayModel {
  readonly state: 'cancelled' | 'done' | 'failed' | 'running';
  readonly started_by: string;
  readonly started_at: string;
  readonly start_at: string;
  readonly end_at: string;
  readonly policies: readonly string[];
  readonly seed: number | null;
  readonly progress: number;
  readonly jobs: number | null;
  readonly bookings: number | null;
  readonly ended_at: string | null;
  readonly problem: string | null;
  readonly results: readonly ReplayResult[];
}

/** The policy in force, and a replay if there was one. */
export interface ReplayState {
  readonly in_force: Policy;
  readonly replay: ReplayModel | null;
}

/** The part of a job that its output shows, as it was when the output was written. */
export interface OutputJob {
  readonly id: string;
  readonly version: number;
  readonly name: string;
  readonly status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'running';
  readonly phase: 'assigned' | 'blocked' | 'cancelled' | 'cancelling' | 'completed' | 'failed' | 'lost' | 'queued' | 'running';
  readonly qpu: string | null;
  readonly num_circuits: number;
  readonly shots: number;
  readonly progress: number;
  readonly submitted_at: string;
  readonly ended_at: string | null;
  readonly busy_s: number | null;
  readonly reason: WaitReason | null;
  readonly eta: Eta | null;
  readonly error: JobError | null;
  readonly qpus: readonly string[];
}

/** A job in a notebook: `job` as it was `at` that time, and what is drawn of its result. */
export interface JobOutput {
  readonly v: 1;
  readonly job: OutputJob;
  readonly lab: string;
  readonly at: string;
  readonly drawings: readonly Readonly<Record<string, unknown>>[];
  readonly total: number;
  readonly source: string | null;
}

/** `POST qpus/{name}/preview`: a program, and who would pay, as in `POST jobs`. */
export interface PreviewIn {
  readonly program: ProgramIn;
  readonly options?: OptionsIn;
  readonly group?: string | null;
}

/** A row of a timeline: a port of the device, whose it is, and what it is for. */
export interface PulseRow {
  readonly port: string;
  readonly qubit: string;
  readonly kind: 'acquisition' | 'drive' | 'flux' | 'other' | 'phase' | 'readout';
}

/** What one row plays, from `start_s` for `duration_s`; 0 is the end of the initial reset. */
export interface PreviewedPulse {
  readonly row: number;
  readonly label: string;
  readonly kind: 'acquisition' | 'drive' | 'flux' | 'other' | 'phase' | 'readout';
  readonly start_s: number;
  readonly duration_s: number;
  readonly clock: string;
  readonly amplitude: number | null;
  readonly phase_deg: number;
}

/** One circuit as the QPU runs it. */
export interface CircuitPreview {
  readonly name: string;
  readonly native: string;
  readonly problem: string;
  readonly shots: number;
  readonly duration_s: number | null;
  readonly reset_s: number;
  readonly rows: readonly PulseRow[];
  readonly pulses: readonly PreviewedPulse[];
  readonly total_pulses: number;
  readonly warnings: readonly string[];
}

/**
 * What a job is expected to cost: QPU-seconds of `account`, which has `available_s` (None: without
 * limit).
 */
export interface ChargeModel {
  readonly account: string;
  readonly seconds: number;
  readonly available_s: number | null;
  readonly covered: boolean;
}

/**
 * The booking that the QPU is in now: whether it is the asker's, and whether the job ends before
 * it does.
 */
export interface BookingFit {
  readonly mine: boolean;
  readonly end_at: string;
  readonly left_s: number;
  readonly fits: 'likely' | 'no' | 'yes';
}

/** A program as a QPU would run it; of `total` circuits the first ones. */
export interface PreviewModel {
  readonly qpu: string;
  readonly at: string;
  readonly circuits: readonly CircuitPreview[];
  readonly total: number;
  readonly estimate_s: number;
  readonly upper_s: number;
  readonly charge: ChargeModel;
  readonly booking: BookingFit | null;
  readonly calibration_id: string;
}

/** A preview in a notebook. */
export interface PreviewOutput {
  readonly v: 1;
  readonly preview: PreviewModel;
}

/** A lab elsewhere, and who one is there. */
export interface LabConnection {
  readonly name: string;
  readonly url: string;
  readonly person: string;
  readonly expires_at: string | null;
}

/** A code that waits for being confirmed at `page`, in a browser. */
export interface CodeShown {
  readonly url: string;
  readonly user_code: string;
  readonly page: string;
}

/** `GET labs`. `current` is the lab that is shown; null: this server's own. */
export interface LabConnections {
  readonly labs: readonly LabConnection[];
  readonly here: string;
  readonly current: string | null;
  readonly waiting: CodeShown | null;
  readonly problem: string;
}

/**
 * `POST labs`: connect to a lab: with a password or a token, else with a code to confirm.
 * `fingerprint` trusts     the lab's own certificate authority.
 */
export interface LabIn {
  readonly url: string;
  readonly fingerprint?: string | null;
  readonly user?: string | null;
  readonly password?: string | null;
  readonly token?: string | null;
}

/** `PUT labs/current`: the lab to show; null: this server's own. */
export interface LabChoice {
  readonly name?: string | null;
}

/** What a plan is made for. One of `observables` (Pauli strings, as Qiskit's labels) and counts. */
export interface PlanRequest {
  readonly observables: readonly string[];
  readonly shots: number;
  readonly qpus: readonly string[];
  readonly min_fidelity: number;
  readonly max_overhead: number;
  readonly seed: number;
  readonly deadline_s: number | null;
}

/** What a fragment costs on a QPU: each term as it was found, and their weighted sum. */
export interface Cost {
  readonly esp: number;
  readonly duration_s: number;
  readonly wait_s: number;
  readonly load: number;
  readonly latency_s: number;
  readonly total: number;
}

/** A QPU that a fragment can run on, and the calibration that this was found with. */
export interface Choice {
  readonly qpu: string;
  readonly calibration_id: string;
  readonly cost: Cost;
}

/** One job of a plan: `num_circuits` experiments on `qubits` of the circuit, `shots` each. */
export interface Fragment {
  readonly index: number;
  readonly qubits: readonly number[];
  readonly num_qubits: number;
  readonly num_circuits: number;
  readonly shots: number;
  readonly program_sha256: string;
  readonly choices: readonly Choice[];
}

/**
 * Another way that was weighed, or the `problem` with it; `overhead`: none where no cuts were
 * found.
 */
export interface Alternative {
  readonly kind: 'whole' | 'components' | 'cut';
  readonly width: number;
  readonly qpus: readonly string[];
  readonly overhead: number | null;
  readonly cost: number | null;
  readonly problem: string;
}

/** An operation of the circuit, for drawing it; `cut`: it is cut, and no QPU carries it out. */
export interface Operation {
  readonly name: string;
  readonly qubits: readonly number[];
  readonly cut: boolean;
  readonly fragment: number | null;
  readonly cut_wires: readonly number[];
}

/**
 * How a circuit would run. `fragments` are its jobs, each with the QPUs that can run it, the first
 * of them the     one that was chosen; `alternatives` are the other ways, with their costs or why
 * they are not possible.
 */
export interface PlanModel {
  readonly plan_id: string;
  readonly owner: string;
  readonly created_at: string;
  readonly kind: 'whole' | 'components' | 'cut';
  readonly num_qubits: number;
  readonly request: PlanRequest;
  readonly circuit_sha256: string;
  readonly fragments: readonly Fragment[];
  readonly num_cuts: number;
  readonly overhead: number;
  readonly cost: number;
  readonly alternatives: readonly Alternative[];
  readonly weights: Readonly<Record<string, number>>;
  readonly scales: Readonly<Record<string, number>>;
  readonly versions: Readonly<Record<string, string>>;
  readonly operations: readonly Operation[];
}

/**
 * A fragment's place on a QPU. `esp`, `duration_s` and `shot_s` are what its driver said when it
 * prepared it,     for the calibration `calibration_id`; `digest` is of what it compiled.
 * `observed_esp`: the success probability     by the calibration that the result was measured
 * with, where that is known. `reason`: why it was refused, expired     or is not needed any more.
 */
export interface ReservationModel {
  readonly id: string;
  readonly qpu: string;
  readonly state: 'requested' | 'prepared' | 'committed' | 'executed' | 'rejected' | 'expired' | 'canceled';
  readonly created_at: string;
  readonly changed_at: string;
  readonly expires_at: string;
  readonly esp: number | null;
  readonly duration_s: number | null;
  readonly shot_s: number | null;
  readonly digest: string;
  readonly calibration_id: string;
  readonly observed_esp: number | null;
  readonly reason: string;
}

/**
 * A time that a fragment was with a driver; `outcome` is empty while it is. A fragment that was
 * measured again     has attempts of two jobs.
 */
export interface AttemptModel {
  readonly job_id: string;
  readonly attempt: number;
  readonly driver: string;
  readonly assigned_at: string;
  readonly started_at: string | null;
  readonly ended_at: string | null;
  readonly outcome: string;
  readonly busy_s: number | null;
}

/** How a fragment of a plan does: its job, its places, the oldest first, and its attempts. */
export interface FragmentRun {
  readonly index: number;
  readonly job_id: string;
  readonly qpu: string;
  readonly status: 'cancelled' | 'completed' | 'failed' | 'pending' | 'running';
  readonly phase: 'assigned' | 'blocked' | 'cancelled' | 'cancelling' | 'completed' | 'failed' | 'lost' | 'queued' | 'running';
  readonly fallback: boolean;
  readonly below: boolean;
  readonly reservations: readonly ReservationModel[];
  readonly attempts: readonly AttemptModel[];
  readonly esp: number | null;
  readonly observed_esp: number | null;
  readonly repeated: boolean;
  readonly error: JobError | null;
}

/**
 * `GET jobs/{id}/plan`: the plan that a job runs, live; null while it is being planned. `cost_s`
 * is what its     jobs cost together.
 */
export interface PlanRun {
  readonly job_id: string;
  readonly plan: PlanModel | null;
  readonly fragments: readonly FragmentRun[];
  readonly deadline_at: string | null;
  readonly cost_s: number;
}

/**
 * A service on so many qubits. `fidelity` is its estimated success probability; null: nothing is
 * known of it.
 */
export interface ServiceOffer {
  readonly service: string;
  readonly min_qubits: number;
  readonly max_qubits: number;
  readonly fidelity: number | null;
}

/** What one QPU offers, how well, and whether it is there. */
export interface Advertisement {
  readonly qpu: string;
  readonly kind: 'device' | 'pool';
  readonly description: string;
  readonly simulator: boolean;
  readonly status: 'disabled' | 'held' | 'maintenance' | 'offline' | 'online';
  readonly reason: string;
  readonly availability: 'available' | 'busy' | 'unavailable';
  readonly stale: boolean;
  readonly seen_at: string | null;
  readonly trust: 'platform_managed' | 'user_contributed' | 'public_untrusted' | 'quarantined';
  readonly num_qubits: number;
  readonly fidelity: number | null;
  readonly below_min_fidelity: boolean;
  readonly calibration_id: string;
  readonly latency_s: number | null;
  readonly places: number;
  readonly queued: number;
  readonly running: number;
  readonly services: readonly ServiceOffer[];
  readonly coupling_map: readonly (readonly [number, number])[] | null;
  readonly contributed_by: string | null;
  readonly pending: boolean;
  readonly trust_reason: string;
  readonly problem: string;
}

/**
 * The QPUs that match, by name. `min_fidelity` is the lab's: those below it are marked.
 * `may_enroll`: whoever     asks may add a QPU.
 */
export interface ServiceList {
  readonly min_fidelity: number;
  readonly may_enroll: boolean;
  readonly qpus: readonly Advertisement[];
}

/** `POST enrollment`: ask that a QPU of one's own becomes one of the lab's. */
export interface EnrollmentIn {
  readonly name: string;
  readonly kind?: 'device' | 'pool';
  readonly description?: string;
  readonly num_qubits?: number | null;
}

/** `POST enrollment/{qpu}`: what a manager decides, and why. */
export interface EnrollmentAnswer {
  readonly action: 'approve' | 'quarantine' | 'reject';
  readonly reason?: string;
}

/**
 * How far a QPU is trusted. `pending`: nobody has decided yet. `at`: when it was asked for, or
 * decided.
 */
export interface Enrollment {
  readonly qpu: string;
  readonly trust: 'platform_managed' | 'user_contributed' | 'public_untrusted' | 'quarantined';
  readonly pending: boolean;
  readonly contributed_by: string | null;
  readonly description: string;
  readonly reason: string;
  readonly decided_by: string | null;
  readonly at: string | null;
}

/** The QPU, and its driver with a token that only this answer shows. */
export interface Enrolled {
  readonly enrollment: Enrollment;
  readonly driver: DriverRegistered;
}

export type LabEvent =
  | JobSubmitted
  | JobChecked
  | JobChanged
  | JobProgress
  | JobEdited
  | JobDeleted
  | ReservationChanged
  | QpuChanged
  | QpuCalibrated
  | DriverChanged
  | DriverLogged
  | BookingChanged
  | BookingRuleChanged
  | SessionChanged
  | BalanceChanged
  | AccountChanged
  | TimeRequestChanged
  | NoticeChanged
  | PersonChanged
  | GroupChanged
  | TokenChanged
  | AuditWritten
  | ReplayChanged;
