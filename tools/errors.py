"""The errors a caller may see, sorted by who must act.

Each carries a stable `code` (the wire contract), an HTTP `status` and whether trying again can help.
The message is written for the person who reads it: it names the value and says what to do.
"""


class AppError(Exception):
    """Base of every error whose message is safe and useful to show to a caller."""

    code = "internal"
    status = 500
    retryable = False

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class InvalidRequest(AppError):
    """The caller sent something that can never work: change it and send it again."""

    code = "invalid_request"
    status = 422


class PayloadTooLarge(AppError):
    """The upload is larger than the studio accepts."""

    code = "too_large"
    status = 413


class NotFound(AppError):
    """The named thread, run, style or artifact does not exist."""

    code = "not_found"
    status = 404


class Conflict(AppError):
    """The request was right once, or will be, but not in the present state of the thread."""

    code = "conflict"
    status = 409


class WeightsMissing(AppError):
    """The operator must fetch or repair a pack; the message holds the exact command."""

    code = "weights_missing"
    status = 503


class EngineBusy(AppError):
    """No capacity just now."""

    code = "engine_busy"
    status = 503
    retryable = True


class EngineFailed(AppError):
    """The render itself failed."""

    code = "engine_failed"
    status = 500
    retryable = True


class EngineHung(EngineFailed):
    """The engine stood still; it was given up, and is opened anew for who asks next."""

    code = "engine_hung"
    status = 503


class OutOfMemory(EngineFailed):
    """The engine found no memory, however little it tried to make do with."""

    code = "out_of_memory"
    status = 503


class DiskFailed(AppError):
    """The disk under the data folder did not take something. What was there before still is."""

    code = "disk_failed"
    status = 503
    retryable = True


class DiskFull(DiskFailed):
    """There is no space left; all goes on by itself once there is."""

    code = "disk_full"
    status = 507


class DiskReadOnly(DiskFailed):
    """The studio may not write there."""

    code = "data_dir_read_only"
    status = 503


class Cancelled(AppError):
    """The run was cancelled; raised from a step callback to stop the engine."""

    code = "cancelled"
    status = 409


def status_of(code: str) -> int | None:
    """Return the HTTP status of the errors whose own code is `code`; None where no class has it."""
    kinds = [AppError]
    for kind in kinds:  # grows as it goes
        if kind.code == code:
            return kind.status
        kinds.extend(kind.__subclasses__())
    return None
