"""Blender add-on: File > Import > Sine (.sine), and a panel that meshes a field again at another resolution."""

import os
from typing import ClassVar

import bpy
from bpy.props import CollectionProperty, IntProperty, PointerProperty, StringProperty
from bpy_extras.io_utils import ImportHelper

from .field_mesh import FieldMesh, field_mesh

COLOURS = "Colour"
"""Name of a scene's colour attribute and of the material that shows it."""


def _resolution():
    description = "Cells along the longest side. Twice as many take four times as long"
    return IntProperty(name="Resolution", description=description, default=128, min=8, max=1024, soft_max=512)


class SineSettings(bpy.types.PropertyGroup):
    """Where an object's mesh comes from."""

    path: StringProperty(name="File", subtype="FILE_PATH")
    resolution: _resolution()


class ImportSine(bpy.types.Operator, ImportHelper):
    """Import shapes and scenes from .sine files"""

    bl_idname = "import_scene.sine"
    bl_label = "Import Sine"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    filename_ext = ".sine"
    filter_glob: StringProperty(default="*.sine", options={"HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})
    directory: StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    resolution: _resolution()

    def execute(self, context):
        names = [entry.name for entry in self.files if entry.name]
        paths = [os.path.join(self.directory, name) for name in names] or [self.filepath]
        for path in paths:
            mesh = _meshed(self, path, self.resolution)
            if mesh is None:
                return {"CANCELLED"}
            name = os.path.splitext(os.path.basename(path))[0]
            obj = bpy.data.objects.new(name, _blender_mesh(mesh, name))
            obj.sine.path, obj.sine.resolution = path, self.resolution
            context.collection.objects.link(obj)
            context.view_layer.objects.active = obj
            obj.select_set(True)
        return {"FINISHED"}


class RemeshSine(bpy.types.Operator):
    """Mesh the field again, at the resolution above. The object's place, modifiers and materials stay"""

    bl_idname = "object.sine_remesh"
    bl_label = "Re-mesh"
    bl_options: ClassVar = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context):
        return context.object is not None and context.object.mode == "OBJECT" and bool(context.object.sine.path)

    def execute(self, context):
        obj = context.object
        made = _meshed(self, bpy.path.abspath(obj.sine.path), obj.sine.resolution)
        if made is None:
            return {"CANCELLED"}
        old = obj.data
        new = _blender_mesh(made, old.name)
        new.materials.clear()
        for material in old.materials:
            new.materials.append(material)
        obj.data = new
        if not old.users:
            name = old.name
            bpy.data.meshes.remove(old)
            new.name = name
        return {"FINISHED"}


class SinePanel(bpy.types.Panel):
    """The field of an object, in its properties."""

    bl_idname = "OBJECT_PT_sine"
    bl_label = "Sine Field"
    bl_space_type, bl_region_type, bl_context = "PROPERTIES", "WINDOW", "object"

    @classmethod
    def poll(cls, context):
        return context.object is not None and bool(context.object.sine.path)

    def draw(self, context):
        layout = self.layout
        layout.use_property_split = True
        for name in ("path", "resolution"):
            layout.prop(context.object.sine, name)
        layout.operator(RemeshSine.bl_idname, icon="FILE_REFRESH")


def _meshed(operator: bpy.types.Operator, path: str, resolution: int) -> FieldMesh | None:
    try:
        return field_mesh(path, resolution)
    except (OSError, ValueError, MemoryError) as error:
        line = str(error) or "not enough memory: choose a smaller resolution"
        operator.report({"ERROR"}, line if path in line else f"{path}: {line}")
        return None


def _blender_mesh(made: FieldMesh, name: str) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(made.vertices))
    mesh.vertices.foreach_set("co", made.vertices.astype("f4").ravel())
    mesh.loops.add(made.quads.size)
    mesh.loops.foreach_set("vertex_index", made.quads.astype("i4").ravel())
    mesh.polygons.add(len(made.quads))
    mesh.polygons.foreach_set("loop_start", range(0, made.quads.size, 4))
    if made.colours is not None:
        attribute = mesh.color_attributes.new(COLOURS, "BYTE_COLOR", "POINT")
        rows = [(*colour, 1.0) for colour in made.colours.clip(0, 1).tolist()]
        attribute.data.foreach_set("color_srgb", [value for row in rows for value in row])
        mesh.materials.append(bpy.data.materials.get(COLOURS) or _unlit())
    mesh.update(calc_edges=True)
    mesh.validate()
    mesh.shade_smooth()
    return mesh


def _unlit() -> bpy.types.Material:
    """A material that shows the colours as they are: the light of a scene is in them."""
    material = bpy.data.materials.new(COLOURS)
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    nodes.clear()
    colour, emission, output = (
        nodes.new(f"ShaderNode{kind}") for kind in ("VertexColor", "Emission", "OutputMaterial")
    )
    colour.layer_name = COLOURS
    links.new(colour.outputs["Color"], emission.inputs["Color"])
    links.new(emission.outputs["Emission"], output.inputs["Surface"])
    return material


def _menu(menu: bpy.types.Menu, context) -> None:
    menu.layout.operator(ImportSine.bl_idname, text="Sine (.sine)")


CLASSES = SineSettings, ImportSine, RemeshSine, SinePanel


def register() -> None:
    """Called by Blender when the add-on is switched on."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Object.sine = PointerProperty(type=SineSettings)
    bpy.types.TOPBAR_MT_file_import.append(_menu)


def unregister() -> None:
    """Called by Blender when the add-on is switched off."""
    bpy.types.TOPBAR_MT_file_import.remove(_menu)
    del bpy.types.Object.sine
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
