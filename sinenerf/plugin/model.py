"""The radiance field as a nerfstudio model: losses of a batch of rays, and the outputs nerfstudio's tools expect."""

import torch
import torch.nn.functional as F
from nerfstudio.cameras.rays import RayBundle
from nerfstudio.engine.callbacks import TrainingCallback, TrainingCallbackAttributes, TrainingCallbackLocation
from nerfstudio.model_components.losses import lossfun_outer
from nerfstudio.model_components.renderers import RGBRenderer
from nerfstudio.models.base_model import Model
from nerfstudio.utils import colormaps
from torch import Tensor

from sinenerf.common.checks import file_size
from sinenerf.common.console import say
from sinenerf.factored import built_once
from sinenerf.plugin.divergence import check_losses, find_collapse
from sinenerf.plugin.edge import exit_on
from sinenerf.plugin.model_config import SineNeRFModelConfig
from sinenerf.plugin.training_corrections import Exposures, make_pose_corrections
from sinenerf.plugin.viewer_panel import Panel
from sinenerf.radiance.compiled_networks import CompiledNetworks
from sinenerf.radiance.evaluate import masked_metrics
from sinenerf.radiance.field import RadianceField
from sinenerf.radiance.header import file_length, overhead
from sinenerf.radiance.image_metrics import psnr
from sinenerf.radiance.volume_rendering import Samples, median
from sinenerf.radiance.warps import NDC, Box, Contraction, Warp, between
from sinenerf.rounding.by_learned_steps import LearnedStepRounding

COLLAPSE_CHECKS = range(100, 501, 100)
"""Steps after which the density is checked for collapse."""


class SineNeRFModel(Model):
    """One scene, whose field lies in the cube [-1, 1]^3 that its warp maps the world to.

    Outputs: rgb, depth (world distance along the ray, median), accumulation, normals (world axes, in [0, 1]).
    """

    config: SineNeRFModelConfig

    def populate_modules(self) -> None:
        super().populate_modules()
        self.collider = None  # rays are cut by the warp: without one they have no bounds of their own
        config = self.config
        metadata = self.kwargs.get("metadata") or {}
        self.warp = self._choose_warp(metadata)
        with exit_on(ValueError):
            self.field = RadianceField(config.architecture(not isinstance(self.warp, Box)), self.warp, self._far())
            self.quantiser = self._make_quantiser()
        self.field.precision = config.precision
        self.field.compiled = CompiledNetworks((self.field.coarse, self.field.fine), self.field.config)
        background = "random" if config.background_color == "random" else self.field.config.background
        self.renderer_rgb = RGBRenderer(background_color=background)
        self.reseeded = False
        self.exposures = Exposures(self.num_train_data) if config.exposure else None
        self.pose_corrections = make_pose_corrections(self.num_train_data) if config.refine_poses else None
        self.panel = Panel(self.field, self.quantiser)
        self.register_load_state_dict_post_hook(lambda model, _: model.panel.update(model.field, model.quantiser))

    def _choose_warp(self, metadata: dict) -> Warp:
        """The warp that the data parser asks for; by default its scene box."""
        if "ndc" in metadata:
            return NDC(**metadata["ndc"])
        if "contraction" in metadata:
            return Contraction(**metadata["contraction"])
        return Box.from_aabb(self.scene_box.aabb)

    def _far(self) -> float:
        """Coordinate of the scene's far bound in the cube."""
        if isinstance(self.warp, Box):
            return 1.0
        corners = self.scene_box.aabb.clone()
        if isinstance(self.warp, NDC):
            corners[0, :2] = 0
            return float(self.warp.warp_points(corners[0])[2])
        return float(self.warp.warp_points(corners).abs().max())

    def _make_quantiser(self) -> LearnedStepRounding | None:
        """Rounding of all parameters, which begins late in training; None for a run that stays in float32.

        Raises:
            ValueError: the file cannot have this size or hold this network.
        """
        size = file_size(self.field.parameters_count, self.config.bits, self.config.bytes)
        if size is None:
            return None
        self.field.check_writable()
        try:
            return LearnedStepRounding(self.field, size, file_length, overhead(self.field.config))
        except ValueError as error:
            raise ValueError(f"{size} bytes: {error}") from None

    def get_param_groups(self) -> dict[str, list[torch.nn.Parameter]]:
        """fields: the networks; codec: step sizes and entropy models, for a run with quantisation; exposures and
        camera_opt: what is learned about each photograph."""
        groups = {"fields": list(self.field.parameters())}
        if self.quantiser is not None:
            groups["fields"], groups["codec"] = (group["params"] for group in self.quantiser.parameter_groups())
        if self.exposures is not None:
            groups["exposures"] = list(self.exposures.parameters())
        if self.pose_corrections is not None:
            groups["camera_opt"] = list(self.pose_corrections.parameters())
        return groups

    def get_outputs(self, ray_bundle: RayBundle) -> dict[str, Tensor]:
        with built_once(self):
            return self._render(ray_bundle)

    @torch.no_grad()
    def get_outputs_for_camera_ray_bundle(self, camera_ray_bundle: RayBundle) -> dict[str, Tensor]:
        with built_once(self):  # once per image, not once per chunk
            return super().get_outputs_for_camera_ray_bundle(camera_ray_bundle)

    def _render(self, bundle: RayBundle) -> dict[str, Tensor]:
        if self.training:
            return self._render_batch(bundle)
        if bundle.nears is None:
            outputs = self.field.render_rays(bundle.origins, bundle.directions, normals=True)
        else:
            outputs = self._render_between(bundle)
        outputs["normals"] = (1 + outputs["normals"]) / 2  # nerfstudio shows and exports normals in [0, 1]
        return outputs

    def _render_batch(self, bundle: RayBundle) -> dict[str, Tensor]:
        """Render training rays: jittered samples, the exposures of their photographs, and the coarse network's part of
        the losses."""
        if self.pose_corrections is not None:
            self.pose_corrections.apply_to_raybundle(bundle)
        rays = self.warp.warp_rays(bundle.origins, bundle.directions)
        coarse, fine = self.field.sample(rays, bundle.directions, jitter=True)
        outputs = {"rgb": self._exposed(bundle, fine), "accumulation": fine.weights.sum(-2)}
        if coarse.colour is None:
            edges, weights = fine.bins.detach(), fine.weights[..., 0].detach()
            outputs["interlevel"] = lossfun_outer(edges, weights, coarse.bins, coarse.weights[..., 0]).mean()
        else:
            outputs["rgb_coarse"] = self._exposed(bundle, coarse)
            outputs["accumulation_coarse"] = coarse.weights.sum(-2)
        self._latest_weights = fine.weights.detach()
        return outputs

    def _exposed(self, bundle: RayBundle, samples: Samples) -> Tensor:
        """The colours of training rays as their photographs show them. The background behind them is not exposed."""
        colour = samples.colour
        if self.exposures is not None and bundle.camera_indices is not None:
            colour = self.exposures(colour, bundle.camera_indices[..., 0])
        return self._composite(colour, samples.weights)

    def _render_between(self, bundle: RayBundle) -> dict[str, Tensor]:
        """Render rays with their own bounds in the world, as from the viewer's crop box or from exporters."""
        rays = between(self.warp, bundle.origins, bundle.directions, bundle.nears, bundle.fars)
        _, fine = self.field.sample(rays, bundle.directions)
        depth = rays.distances(median(fine.midpoints, fine.weights))
        return {
            "rgb": self._composite(fine.colour, fine.weights),
            "depth": depth,
            "accumulation": fine.weights.sum(-2),
            "normals": self.field.normals(bundle.origins + bundle.directions * depth),
        }

    def _composite(self, colour: Tensor | None, weights: Tensor) -> Tensor:
        """Composite by nerfstudio's renderer, whose background may be random, or replaced within the viewer's crop."""
        assert colour is not None
        return self.renderer_rgb(rgb=colour, weights=weights)

    def get_metrics_dict(self, outputs: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        truth = self.renderer_rgb.blend_background(batch["image"].to(self.device))
        return {"psnr": psnr(outputs["rgb"].detach(), truth)}

    def get_loss_dict(self, outputs, batch, metrics_dict=None) -> dict[str, Tensor]:
        """Squared error of each network's colours, the proposal loss, and during rounding the rate of the file.

        Raises:
            TrainingDiverged: a loss is not finite.
        """
        losses = {"rgb": self._colour_loss(outputs["rgb"], outputs["accumulation"], batch)}
        if "rgb_coarse" in outputs:
            losses["rgb_coarse"] = self._colour_loss(outputs["rgb_coarse"], outputs["accumulation_coarse"], batch)
        if "interlevel" in outputs:
            losses["interlevel"] = outputs["interlevel"]
        check_losses(losses)
        if self.training and self.exposures is not None:
            losses["exposures"] = self.exposures.penalty()
        if self.training and self.pose_corrections is not None:
            self.pose_corrections.get_loss_dict(losses)
        if self.training and self.quantiser is not None and self.quantiser.active:
            losses["rate"] = self.quantiser.penalty()
        return losses

    def _colour_loss(self, colour: Tensor, accumulation: Tensor, batch: dict[str, Tensor]) -> Tensor:
        prediction, truth = self.renderer_rgb.blend_background_for_loss_computation(
            colour, accumulation, batch["image"].to(self.device)
        )
        return F.mse_loss(prediction, truth)

    def get_image_metrics_and_images(self, outputs, batch) -> tuple[dict[str, float], dict[str, Tensor]]:
        truth = self.renderer_rgb.blend_background(batch["image"].to(self.device))
        images = {
            "img": torch.cat([truth, outputs["rgb"]], dim=1),
            "accumulation": colormaps.apply_colormap(outputs["accumulation"]),
            "depth": colormaps.apply_depth_colormap(outputs["depth"], accumulation=outputs["accumulation"]),
            "normals": outputs["normals"],
        }
        return masked_metrics(outputs["rgb"], truth, batch.get("mask"), whole=True), images

    def get_rgba_image(self, outputs: dict[str, Tensor], output_name: str = "rgb") -> Tensor:
        """RGB and the accumulation as alpha, (height, width, 4)."""
        return torch.cat([outputs[output_name], outputs["accumulation"]], dim=-1)

    def get_training_callbacks(self, attributes: TrainingCallbackAttributes) -> list[TrainingCallback]:
        """Before each step, rounding once it is due; after it, density checks and updates of the panel."""

        def before_step(step: int) -> None:
            trainer = attributes.trainer
            if trainer is not None and self.quantiser is not None:
                self.quantiser.before_step(step / trainer.end)

        def after_step(step: int) -> None:
            if step in COLLAPSE_CHECKS:
                self._check_density(step, attributes)

        def update_panel(step: int) -> None:
            self.panel.update(self.field, self.quantiser)

        before, after = TrainingCallbackLocation.BEFORE_TRAIN_ITERATION, TrainingCallbackLocation.AFTER_TRAIN_ITERATION
        return [
            TrainingCallback([before], before_step),
            TrainingCallback([after], after_step),
            TrainingCallback([after], update_panel, Panel.STEPS),
        ]

    def _check_density(self, step: int, attributes: TrainingCallbackAttributes) -> None:
        """If the density has collapsed, restart once from new random parameters; a second time, only report it."""
        collapse = find_collapse(self._latest_weights)
        if collapse is None:
            return
        if self.reseeded:
            say(f"step {step}: {collapse}, again. Try another --machine.seed, or a lower learning rate")
            return
        say(f"step {step}: {collapse}: starting again from another seed")
        self.reseeded = True
        fresh = RadianceField(self.field.config, self.warp)
        with torch.no_grad():
            values = self.get_param_groups()["fields"]
            for parameter, new in zip(values, fresh.parameters(), strict=True):
                parameter.copy_(new)
        for optimizer in attributes.optimizers.optimizers.values():
            optimizer.state.clear()
            for group in optimizer.param_groups:
                group.pop("step", None)  # SOAP counts its steps here
