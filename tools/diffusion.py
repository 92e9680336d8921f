"""The diffusers engine: Stable Diffusion with ControlNet and IP-Adapter, for our own pack and for the big models."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tools.colour_transfer import EARLY, Colours, transfer
from tools.control import control_image
from tools.errors import AppError, EngineBusy, EngineFailed, InvalidRequest, OutOfMemory
from tools.imaging import ImageRequest, OnStep, Step, StyleMix, Vector
from tools.memory import free_memory, frugal, ran_out
from tools.minilm import MiniLM
from tools.packs import hush_loaders, open_pack, pack_revision
from tools.profiles import Profile
from tools.sampling import Sampling, calm_noise

if TYPE_CHECKING:
    import torch
    from diffusers import StableDiffusionControlNetPipeline

logger = logging.getLogger(__name__)

IP_ADAPTER = "ip_adapter/ip_adapter.safetensors"
TOKENIZER = "text/tokenizer.json"
WORDLESS = ""  # the prompt of the render that another one's colours are led by


def open_engine(profile: Profile, models_dir: Path) -> DiffusersEngine:
    """Load a profile's pack. Blocking, seconds. Raises `WeightsMissing`, `OutOfMemory`."""
    folder = open_pack(profile, models_dir)
    try:
        return DiffusersEngine(profile, folder)
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        raise OutOfMemory(
            f"The models of {profile.name} do not fit into memory: end other programs, then try again."
        ) from error


class DiffusersEngine:
    """A `StableDiffusionControlNetPipeline` with an IP-Adapter, from a folder in diffusers' own layout.

    fp32 on a CPU, fp16 on a GPU. Nothing is downloaded and nothing but safetensors is read.
    """

    def __init__(self, profile: Profile, folder: Path) -> None:
        self.profile = profile
        self.name = f"{profile.pack}/{pack_revision(folder)}"
        self._words = MiniLM(folder / TOKENIZER) if profile.text == "minilm" else None
        self._pipe = _load_pipeline(folder, own_text=self._words is not None)
        self._leads_colours = self._pipe.scheduler.config.prediction_type == "sample"
        self._one_at_a_time = threading.Lock()

    def count_tokens(self, text: str) -> int:
        """Tokens of `text`, without the two marks round it."""
        if self._words is not None:
            return self._words.count_tokens(text)
        return len(self._pipe.tokenizer(text, add_special_tokens=False).input_ids)

    def embed_style(self, image: Image.Image) -> Vector:
        """What a render takes from an RGB reference, as one (dim,) float32 vector whose weighted means are blends.

        The IP-Adapter's part first, of length 1 where the profile says so, then its packed `Colours`; none of them for
        a network that does not predict clean latents, whose colours cannot be led.
        """
        import torch

        pixels = self._pipe.feature_extractor(image, return_tensors="pt").pixel_values
        with torch.inference_mode():
            encoder = self._pipe.image_encoder
            vector = encoder(pixels.to(encoder.device, encoder.dtype)).image_embeds[0]
            if self.profile.unit_style_vectors:
                vector = torch.nn.functional.normalize(vector, dim=0)
        look: Vector = vector.float().cpu().numpy()
        return np.concatenate([look, self._colours(image).pack()]) if self._leads_colours else look

    def _colours(self, image: Image.Image) -> Colours:
        """The `Colours` of the latents of an RGB image, no larger than the profile's renders."""
        import torch

        pipe, longest = self._pipe, self.profile.size
        shrink = min(1.0, longest / max(image.size))
        factor = pipe.vae_scale_factor
        size = [max(1, round(side * shrink / factor)) * factor for side in image.size]
        pixels = pipe.image_processor.preprocess(image.resize((size[0], size[1])))
        with torch.inference_mode():
            found = pipe.vae.encode(pixels.to(pipe.device, pipe.dtype)).latent_dist.mode()[0]
        return Colours.of((found * pipe.vae.config.scaling_factor).double().cpu().numpy())

    def generate(
        self, request: ImageRequest, on_step: OnStep, saved: bytes | None = None
    ) -> Image.Image:
        """Return the RGB render of `request`, calling `on_step` after every denoising step.

        With what a `Step.save()` of the same request returned, only the steps after it are done.
        An exception raised by `on_step` stops the engine and comes out unchanged.
        Where memory runs out it goes on from the last `Step.save()` with less of it; see `_with_less`.
        Raises `InvalidRequest` for a size or a colour transfer it cannot take, `EngineBusy` during another render,
        `EngineFailed` when the render breaks, `OutOfMemory`.
        """
        multiple = self.profile.size_multiple
        if request.width % multiple or request.height % multiple:
            raise InvalidRequest(
                f"{request.width}x{request.height} px: both sides must be multiples of {multiple}.",
                code="invalid_size",
            )
        if request.colour_transfer and not self._leads_colours:
            raise InvalidRequest(
                "Colours can be led only where the network predicts clean latents: colour_transfer must be 0.",
                code="no_colour_transfer",
            )

        def remembered(step: Step) -> None:
            def save() -> bytes:
                nonlocal saved
                saved = step.save()
                return saved

            on_step(replace(step, save=save))

        # Whoever finds it held must not wait: on a lane that gave up a render it is held for ever.
        if not self._one_at_a_time.acquire(blocking=False):
            raise EngineBusy("The engine is at another render: try again.")
        try:
            return self._with_less(lambda: self._render(request, remembered, saved))
        except AppError:
            raise
        except (RuntimeError, ValueError) as error:
            logger.exception("a render broke")
            raise EngineFailed(
                "The render broke, and the reason has been logged: try again, or another size."
            ) from error
        finally:
            self._one_at_a_time.release()

    def _with_less(self, render: Callable[[], Image.Image]) -> Image.Image:
        """What `render` returns; where memory runs out, once more after freeing some, then once more in pieces."""
        rungs: dict[str, AbstractContextManager[None]] = {
            "as it is": nullcontext(),
            "with memory freed": nullcontext(),
            "in pieces": frugal(self._pipe),
        }
        for rung, settings in rungs.items():
            try:
                with settings:
                    image = render()
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                logger.warning("memory ran out in a render %s: %s", rung, str(error))
            else:
                return image
            free_memory()  # out of the handler: the error held every tensor of the pass
        raise OutOfMemory(
            "There is not enough memory for this render: ask for a smaller size, or fewer at once."
        )

    def _render(self, request: ImageRequest, on_step: OnStep, saved: bytes | None) -> Image.Image:
        """From noise or from `saved` to a picture. While colours are led, the pipeline's pass is one of its own."""
        scheduler, device = self._pipe.scheduler, self._pipe.device
        look, colours = (None, None) if request.style is None else self._blend(request.style)
        if colours is not None and request.colour_transfer:
            early = self._early_steps(request.steps)
            led = Sampling(scheduler, saved, device, early, self._lead(request, colours, early))
            if led.done < early:
                texts = (request.prompt, WORDLESS)
                latents = self._sample(request, look, texts, led, on_step, output_type="latent")
                saved = led.save(early, latents)
        rest = Sampling(scheduler, saved, device)
        image: Image.Image = self._sample(request, look, (request.prompt,), rest, on_step)[0]
        return image

    def _early_steps(self, steps: int) -> int:
        """At how many of `steps` colours are led."""
        scheduler = self._pipe.scheduler
        scheduler.set_timesteps(steps)
        last = (1 - EARLY) * scheduler.config.num_train_timesteps
        return int((scheduler.timesteps >= last).sum())

    def _lead(
        self, request: ImageRequest, colours: Colours, steps: int
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """What leads estimates (2, channels, height, width) to `colours` in so many steps, going by the second one."""
        share = 1 - (1 - request.colour_transfer) ** (1 / steps)

        def lead(clean: torch.Tensor) -> torch.Tensor:
            own = Colours.of(clean[1].double().cpu().numpy())
            return transfer(own, colours, share)(clean)

        return lead

    def _sample(
        self,
        request: ImageRequest,
        look: Vector | None,
        texts: Sequence[str],
        sampling: Sampling,
        on_step: OnStep,
        **options: Any,
    ) -> Any:
        """The images of a pass of the pipeline, one for each text; `on_step` hears of the first."""
        import torch

        pipe, count, guided = self._pipe, len(texts), request.guidance_scale > 1
        latents = sampling.latents
        begin = self._noise(request).repeat(count, 1, 1, 1) if latents is None else latents[:count]
        scale = request.control_scale if request.edges else self.profile.blank_control_scale

        def after_step(_: Any, index: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            latents = tensors["latents"]
            shown = latents if sampling.estimate is None else sampling.estimate
            number = sampling.done + index + 1
            on_step(
                Step(
                    number,
                    request.steps,
                    preview=lambda: self._preview(shown[:1]),
                    save=lambda: sampling.save(number, latents),
                )
            )
            return {}

        with torch.inference_mode(), sampling:
            pipe.set_ip_adapter_scale(request.style_scale if request.style else 0.0)
            return pipe(
                **self._prompt(texts, request.negative_prompt, guided=guided),
                image=self._control(request),
                width=request.width,
                height=request.height,
                num_inference_steps=request.steps,
                guidance_scale=request.guidance_scale,
                controlnet_conditioning_scale=scale,
                ip_adapter_image_embeds=[self._look(look, count, guided=guided)],
                generator=torch.Generator("cpu").manual_seed(request.seed),
                latents=begin,
                callback_on_step_end=after_step,
                **options,
            ).images

    def _noise(self, request: ImageRequest) -> torch.Tensor:
        """The latents of pure noise that `request` begins with: (1, channels, height, width)."""
        pipe = self._pipe
        channels, factor = pipe.unet.config.in_channels, pipe.vae_scale_factor
        noise = calm_noise(
            (channels, request.height // factor, request.width // factor),
            request.seed,
            request.low_noise,
        )
        return noise[None].to(pipe.device, pipe.dtype)

    def _prompt(self, texts: Sequence[str], negative: str, *, guided: bool) -> dict[str, Any]:
        """The pipeline's text arguments: words for its own text encoder, or MiniLM's vectors of them."""
        import torch

        negatives = [negative] * len(texts) if guided else None
        if self._words is None:
            return {"prompt": list(texts), "negative_prompt": negatives}
        length, words = self.profile.token_budget + 2, self._words

        def embedded(rows: Sequence[str] | None) -> torch.Tensor | None:
            if rows is None:
                return None
            vectors = torch.from_numpy(np.stack([words.embed_tokens(row, length) for row in rows]))
            return vectors.to(self._pipe.device, self._pipe.dtype)

        return {"prompt_embeds": embedded(texts), "negative_prompt_embeds": embedded(negatives)}

    def _control(self, request: ImageRequest) -> Image.Image:
        """The ControlNet's RGB image: black where there is no sketch."""
        if request.edges is None:
            return Image.new("RGB", (request.width, request.height))
        if not self.profile.control_shapes:
            return request.edges.convert("RGB")
        return Image.fromarray(control_image(np.asarray(request.edges)))

    def _blend(self, mix: StyleMix) -> tuple[Vector, Colours | None]:
        """The IP-Adapter's vector of a blend, (dim,), and its colours, if they can be led."""
        config = self._pipe.image_encoder.config
        mean = np.average(mix.vectors, axis=0, weights=mix.weights).astype(np.float32)
        look, colours = np.split(mean, [config.projection_dim])
        if self.profile.unit_style_vectors:
            look /= np.linalg.norm(look)
        if not self._leads_colours:
            return look, None
        return look, Colours.unpack(colours, self._pipe.unet.config.in_channels)

    def _look(self, look: Vector | None, count: int, *, guided: bool) -> torch.Tensor:
        """The blend as the IP-Adapter takes it: (count, 1, dim), under guidance as many without style before them."""
        import torch

        nothing = np.zeros(self._pipe.image_encoder.config.projection_dim, np.float32)
        blend = nothing if look is None else look
        rows = [nothing] * count * guided + [blend] * count
        stacked = torch.from_numpy(np.stack(rows))[:, None]
        return stacked.to(self._pipe.device, self._pipe.dtype)

    def _preview(self, latents: torch.Tensor) -> Image.Image:
        """A look at unfinished latents, decoded at half size: a quarter of the cost."""
        import torch

        vae = self._pipe.vae
        half = torch.nn.functional.avg_pool2d(latents, 2) / vae.config.scaling_factor
        decoded = vae.decode(half).sample
        image: Image.Image = self._pipe.image_processor.postprocess(decoded)[0]
        return image


def _load_pipeline(folder: Path, *, own_text: bool) -> StableDiffusionControlNetPipeline:
    import torch

    hush_loaders()
    from diffusers import StableDiffusionControlNetPipeline
    from transformers import CLIPImageProcessorPil

    gpu = torch.cuda.is_available()
    absent = {"text_encoder": None, "tokenizer": None} if own_text else {}
    pipe = StableDiffusionControlNetPipeline.from_pretrained(
        folder,
        **absent,
        feature_extractor=CLIPImageProcessorPil.from_pretrained(folder / "feature_extractor"),
        safety_checker=None,
        requires_safety_checker=False,
        local_files_only=True,
        use_safetensors=True,
        dtype=torch.float16 if gpu else torch.float32,
    )
    pipe.load_ip_adapter(
        read_ip_adapter(folder), subfolder=None, weight_name=None, image_encoder_folder=None
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe.to("cuda" if gpu else "cpu")


def read_ip_adapter(folder: Path) -> dict[str, dict[str, torch.Tensor]]:
    """The IP-Adapter of a pack as diffusers' loaders take it: `image_proj` and `ip_adapter`, each weights by name."""
    from safetensors.torch import load_file

    adapter: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for key, value in load_file(folder / IP_ADAPTER).items():
        part, name = key.split(".", 1)
        adapter[part][name] = value
    return adapter
